"""Adoption names what the next `up` does to workloads that the program does not declare."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pydantic import JsonValue, TypeAdapter

from infra.settings.other_workloads import OtherWorkload
from infra.settings.types import repository
from ops.adoption.discovery import LookupSettings
from ops.adoption.effects import host_ports
from ops.adoption.effects.all_effects import affected_workloads, effects
from ops.adoption.effects.images import ImageRule, image_rules
from ops.adoption.workloads import Workload, undeclared_workloads
from ops.kubernetes import Cluster, Object
from ops.plan import State
from tests.unit.capture import Capture, example_settings, full_settings, run
from tests.unit.other_workloads import IMAGE, SETTING, deployment, restricted_deployment
from tests.unit.registrations import states


@pytest.fixture(scope="module")
def planned() -> Sequence[State]:
    return states(run(example_settings()))


def texts(
    live: Object,
    planned: Sequence[State],
    others: Mapping[str, Any] | None = None,
    policies: Sequence[Object] = (),
) -> list[str]:
    settings = TypeAdapter(dict[str, OtherWorkload]).validate_python(others or {})
    return [str(effect) for effect in effects(Workload.of(live["kind"], live), planned, settings, policies)]


def test_an_agent_among_the_apps_is_refused_and_cut_off(planned: Sequence[State]) -> None:
    image, security, quota, connections, system, account = texts(deployment("honeydue"), planned)
    assert image == (
        f"the next release is refused: honeydue-pods does not admit image {IMAGE}. "
        "Set honeydue:otherWorkloads.vmagent.images to [victoriametrics/vmagent]"
    )
    assert "Pod Security restricted does not admit allowPrivilegeEscalation other than false" in security
    assert quota.startswith("ResourceQuota honeydue has room for 0 of its 1 pod")
    assert connections == (
        "its pod opens no connection and accepts no connection. Set honeydue:otherWorkloads.vmagent.labels, "
        "honeydue:otherWorkloads.vmagent.egress and honeydue:otherWorkloads.vmagent.ingress"
    )
    assert "not the metrics on 9153" in system
    assert "port: 9153, namespace: kube-system, pods: {k8s-app: kube-dns}" in system
    assert "gets no token of ServiceAccount default" in account


def test_an_agent_in_the_default_namespace_is_cut_off(planned: Sequence[State]) -> None:
    security, connections, system, account = texts(deployment("default"), planned)
    assert "Pod Security restricted" in security
    assert "opens no connection and accepts no connection" in connections
    assert "9153" in system
    assert "ServiceAccount default" in account


def test_an_agent_in_its_own_namespace_only_loses_the_metrics_of_coredns(planned: Sequence[State]) -> None:
    (effect,) = texts(deployment("monitoring"), planned)
    assert "9153" in effect


def test_no_setting_keeps_a_workload_in_the_namespace_of_node_exporter(full_example: Capture) -> None:
    """It has access to the host. A workload that exists keeps running."""
    program = states(full_example)
    assert texts(deployment("node-exporter"), program) == [
        "its next change is refused: only the DaemonSet node-exporter may run in namespace node-exporter. "
        "Move it to another namespace"
    ]


def test_an_agent_in_the_namespace_of_monitoring_is_refused_and_cut_off(full_example: Capture) -> None:
    image, security, connections, _, account = texts(deployment("monitoring", "agent"), states(full_example))
    assert image.startswith(f"the next release is refused: monitoring-pods does not admit image {IMAGE}. Set")
    assert "Pod Security restricted" in security
    assert "opens no connection and accepts no connection" in connections
    assert "ServiceAccount default" in account


NODE_PORT = {"containerPort": 9100}


@pytest.mark.parametrize(
    ("pod", "port", "expected"),
    [
        ({"hostNetwork": True}, NODE_PORT, True),
        ({}, {**NODE_PORT, "hostPort": 9100}, True),
        ({}, NODE_PORT, False),
        ({"hostNetwork": True}, {"containerPort": 9101}, False),
    ],
)
def test_a_workload_on_the_port_of_node_exporter_is_named(
    pod: Mapping[str, Any], port: Mapping[str, int], expected: bool, full_example: Capture, planned: Sequence[State]
) -> None:
    container = {"name": "exporter", "image": IMAGE, "ports": [port]}
    workload = Workload.of("Deployment", deployment("observability", containers=[container], **pod))
    named = [str(effect) for effect in host_ports.effects(workload, states(full_example))]
    assert named == expected * [
        "it uses port 9100 of its nodes, where the pods of node-exporter cannot start. "
        "Remove it, or set honeydue:monitoring.nodeExporter to false"
    ]
    # Without the exporter, the port is free.
    assert list(host_ports.effects(workload, planned)) == []


def test_traefik_leaves_the_port_of_node_exporter(full_example: Capture) -> None:
    container = {"name": "traefik", "image": IMAGE, "ports": [NODE_PORT]}
    live = deployment("kube-system", "traefik", containers=[container], hostNetwork=True)
    assert list(host_ports.effects(Workload.of("DaemonSet", live), states(full_example))) == []


def test_a_port_of_the_node_is_among_all_effects(full_example: Capture) -> None:
    container = {"name": "exporter", "image": IMAGE, "ports": [NODE_PORT]}
    live = deployment("observability", containers=[container], hostNetwork=True)
    assert any("port 9100" in text for text in texts(live, states(full_example)))


@pytest.mark.parametrize("settings", [example_settings(), full_settings()], ids=["example", "all"])
@pytest.mark.parametrize("namespace", ["honeydue", "default", "monitoring"])
def test_the_settings_prevent_every_effect(settings: Mapping[str, object], namespace: str) -> None:
    others = {"vmagent": {**SETTING, "namespace": namespace}}
    program = run({**settings, "honeydue:otherWorkloads": others})
    assert texts(restricted_deployment(namespace), states(program), others) == []


def test_existing_policies_that_keep_connections_are_named(planned: Sequence[State]) -> None:
    def policy(name: str, labels: Mapping[str, str]) -> Object:
        spec = {"podSelector": {"matchLabels": labels}, "policyTypes": ["Egress"], "egress": [{}]}
        return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}

    live = [policy("allow-vmagent", {"app": "vmagent"}), policy("allow-other", {"app": "other"})]
    (_, connections, *_) = texts(deployment("default"), planned, policies=live)
    assert "accepts no connection, except as allow-vmagent allows until it is deleted" in connections


def test_a_container_above_the_limits_is_refused(planned: Sequence[State]) -> None:
    limits = {"resources": {"limits": {"memory": "64Gi", "cpu": "10m"}}}
    refused = [text for text in texts(restricted_deployment("honeydue", **limits), planned) if "LimitRange" in text]
    assert len(refused) == 1
    assert "container vmagent with a limit of memory 64Gi (at most" in refused[0]


def test_pods_on_the_host_network_of_kube_system_keep_everything(planned: Sequence[State]) -> None:
    exporter = deployment("kube-system", "exporter", hostNetwork=True, serviceAccountName="exporter")
    assert texts(exporter, planned) == []


def test_a_server_in_kube_system_accepts_connections_of_its_namespace_only(planned: Sequence[State]) -> None:
    container = {"name": "server", "image": "x:1", "ports": [{"containerPort": 80}]}
    (effect,) = texts(deployment("kube-system", "dashboard", containers=[container], serviceAccountName="x"), planned)
    assert effect.startswith("its pod accepts connections from namespace kube-system only")


@pytest.mark.parametrize(
    ("image", "admitted"),
    [
        ("gitea.treytartt.com/admin/honeydue-api:1", True),
        ("redis:7-alpine", True),
        ("redis:latest", False),
        ("redis", False),
        (f"redis@sha256:{'0' * 64}", True),
        ("victoriametrics/vmagent:v1", False),
    ],
)
def test_the_rules_of_the_planned_policy_are_evaluated(planned: Sequence[State], image: str, admitted: bool) -> None:
    rules = list(image_rules(planned, "honeydue"))
    assert len(rules) >= 2
    assert all(rule.admits(image) for rule in rules) == admitted
    assert list(image_rules(planned, "default")) == []


def test_an_expression_about_anything_else_is_no_image_rule() -> None:
    for expression in ("true", "variables.containers.all(c, !has(c.securityContext))", "variables.containers.all(c, )"):
        assert ImageRule.parse("policy", expression) is None


@pytest.mark.parametrize("image", ["host:5000/a/b:1", f"host:5000/a/b@sha256:{'0' * 64}", "host:5000/a/b"])
def test_a_repository_has_neither_tag_nor_digest(image: str) -> None:
    assert repository(image) == "host:5000/a/b"


class FakeCluster(Cluster):
    """A cluster with these objects."""

    def __init__(self, *objects: Object) -> None:
        self._objects = objects

    def list_everywhere(self, api_version: str, kind: str) -> Sequence[Object]:
        return [item for item in self._objects if (item["apiVersion"], item["kind"]) == (api_version, kind)]


def workload(kind: str, version: str, name: str, *, owned: bool = False, **content: Any) -> Object:
    template: dict[str, Any] = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "a", "image": "a:1"}]},
    }
    spec: Mapping[str, Any] = {
        "Pod": template["spec"],
        "CronJob": {"jobTemplate": {"spec": {"template": template}}},
    }.get(kind, {"template": template})
    owners = {"ownerReferences": [{"kind": "Node"}]} if owned else {}
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": "elsewhere", **owners},
        "spec": spec,
        **content,
    }


def test_undeclared_workloads_of_every_kind_and_namespace_are_found(planned: Sequence[State]) -> None:
    done = {"conditions": [{"type": "Complete", "status": "True"}]}
    cluster = FakeCluster(
        deployment("honeydue"),
        deployment("honeydue", "api"),
        workload("CronJob", "batch/v1", "nightly"),
        workload("DaemonSet", "apps/v1", "exporter", status={"desiredNumberScheduled": 3}),
        workload("StatefulSet", "apps/v1", "store"),
        workload("Job", "batch/v1", "import"),
        workload("Job", "batch/v1", "ended", status=done),
        workload("Pod", "v1", "shell"),
        workload("Pod", "v1", "ended", status={"phase": "Succeeded"}),
        workload("Pod", "v1", "static", owned=True),
        workload("ReplicaSet", "apps/v1", "of-a-deployment", owned=True),
    )
    found = {str(item): item for item in undeclared_workloads(cluster, planned)}
    assert found.keys() == {
        "Deployment honeydue/vmagent",
        "CronJob elsewhere/nightly",
        "DaemonSet elsewhere/exporter",
        "StatefulSet elsewhere/store",
        "Job elsewhere/import",
        "Pod elsewhere/shell",
    }
    assert found["DaemonSet elsewhere/exporter"].replicas == 3
    assert found["CronJob elsewhere/nightly"].labels == {"app": "nightly"}
    assert {str(item) for item in affected_workloads(cluster, planned, {})} == found.keys()


def test_settings_that_are_not_set_are_empty_text() -> None:
    """Pulumi.yaml gives this default to every key."""
    empty = dict.fromkeys(("adopted", "otherWorkloads", "adminUsesApiUrl"), "")
    settings: dict[str, JsonValue] = {"hetznerToken": "a", "cloudflareToken": "b", "nodes": {}, **empty}
    lookup_settings = LookupSettings.of(settings)
    assert (lookup_settings.admin_uses_api_url, lookup_settings.other_workloads) == (False, {})
    # Pulumi lists a setting of Pulumi.yaml without a value as an empty text.
    assert LookupSettings.of({**settings, "monitoring": ""}).monitoring is None
    assert LookupSettings.of({**settings, "adminUsesApiUrl": "true"}).admin_uses_api_url
