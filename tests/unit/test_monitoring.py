"""The agents and exporters of monitoring: what is declared with which settings, and what it may read."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.unit.capture import Capture, Registration, full_settings, run
from tests.unit.manifests import manifests
from tests.unit.other_workloads import SETTING as ENTRY_OF_VMAGENT
from tests.unit.registrations import containers, namespace_of, plain_strings

SETTING = "honeydue:monitoring"
NAMESPACES = ("monitoring", "node-exporter")
PARTS = {
    "nodeExporter": "node-exporter",
    "kubeStateMetrics": "kube-state-metrics",
    "redisExporter": "redis-exporter",
}
"""The part that each setting switches off."""
NEEDS_A_NODE = {"vmagent", "node-exporter"}


def program_with(**changes: object) -> Capture:
    settings = full_settings()
    monitoring: Any = settings[SETTING]
    return run({**settings, SETTING: {**monitoring, **changes}})


def controllers(program: Capture) -> Mapping[str, Registration]:
    return {
        resource.name: resource
        for resource in program.registrations
        if namespace_of(resource) in NAMESPACES and resource.kind in ("DaemonSet", "Deployment", "StatefulSet")
    }


def rules(program: Capture, account: str) -> Sequence[Mapping[str, Any]]:
    """The rules of all roles that are bound to an account of monitoring."""
    roles = {
        (item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]): item for item in manifests(program)
    }
    return [
        rule
        for item in manifests(program)
        if item["kind"] in ("RoleBinding", "ClusterRoleBinding")
        and {"kind": "ServiceAccount", "name": account, "namespace": "monitoring"} in item["subjects"]
        for rule in roles[item["roleRef"]["kind"], item["metadata"].get("namespace"), item["roleRef"]["name"]]["rules"]
    ]


def test_without_the_setting_nothing_is_declared(example: Capture) -> None:
    assert SETTING not in example.settings
    names = {"monitoring", "vmagent", *NAMESPACES, *PARTS.values()}
    assert [entry.urn for entry in example.registrations if any(name in entry.urn.lower() for name in names)] == []


def test_every_part_runs_with_the_default_settings(full_example: Capture) -> None:
    assert controllers(full_example).keys() >= {"vmagent", *PARTS.values()}
    for name, resource in controllers(full_example).items():
        assert (resource.kind == "DaemonSet") == (name in NEEDS_A_NODE)


@pytest.mark.parametrize(("setting", "part"), PARTS.items())
def test_a_part_that_is_off_is_nowhere(setting: str, part: str) -> None:
    program = program_with(**{setting: False})
    assert [
        entry.urn for entry in program.registrations if f"::{part}" in entry.urn or f"::honeydue-{part}" in entry.urn
    ] == []
    # Its target would be down for ever, and a policy would allow connections to nothing.
    assert f"job_name: {part}" not in program.resource("ConfigMap", "vmagent").inputs["data"]["scrape.yaml"]
    assert part not in str(program.resource("NetworkPolicy", "vmagent").inputs)
    assert controllers(program).keys() >= {"vmagent", *PARTS.values()} - {part}


def test_an_api_without_metrics_is_not_scraped() -> None:
    program = program_with(api=False)
    assert "job_name: api\n" not in program.resource("ConfigMap", "vmagent").inputs["data"]["scrape.yaml"]
    assert not [entry for entry in program.registrations if entry.name.endswith("api-from-vmagent")]
    roles = {namespace_of(role) for role in program.resources("Role") if role.name.endswith("-vmagent")}
    assert roles == {"kube-system", "monitoring", "logs"}


def test_no_policy_has_the_name_of_one_for_an_agent_that_runs_already() -> None:
    """`make adopt` proposes an entry with the name of the workload."""
    program = run({**full_settings(), "honeydue:otherWorkloads": {"vmagent": ENTRY_OF_VMAGENT}})
    policies = [resource.inputs["metadata"] for resource in program.resources("NetworkPolicy")]
    names = [(metadata["namespace"], metadata["name"]) for metadata in policies]
    assert ("honeydue", "vmagent-to-api") in names
    assert ("honeydue", "api-from-vmagent") in names
    assert len(names) == len(set(names))


def test_only_node_exporter_uses_the_host(full_example: Capture) -> None:
    for name, resource in controllers(full_example).items():
        spec = resource.inputs["spec"]["template"]["spec"]
        host = [volume for volume in spec.get("volumes", []) if "hostPath" in volume]
        assert bool(host) == spec.get("hostNetwork", False) == (name == "node-exporter"), name
        assert "hostPID" not in spec
        assert namespace_of(resource) == ("node-exporter" if host else "monitoring")
    levels = {
        namespace.name: namespace.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for namespace in full_example.resources("Namespace")
    }
    assert levels["monitoring"] == "restricted"
    assert {name for name, level in levels.items() if level == "privileged"} == {
        "node-exporter",
        "logs",
        "cattle-system",
    }


def test_daemon_sets_run_on_every_node(full_example: Capture) -> None:
    for resource in full_example.resources("DaemonSet"):
        spec = resource.inputs["spec"]["template"]["spec"]
        assert spec["tolerations"] == [{"operator": "Exists"}], resource.urn
        assert not {"nodeSelector", "affinity", "topologySpreadConstraints"} & spec.keys()


@pytest.mark.parametrize("account", ["vmagent", "kube-state-metrics"])
def test_the_accounts_read_objects_and_change_nothing(full_example: Capture, account: str) -> None:
    granted = rules(full_example, account)
    assert granted
    resources = {resource for rule in granted for resource in rule.get("resources", [])}
    assert not {"secrets", "configmaps", "nodes/proxy", "pods/exec", "pods/log"} & resources
    assert {verb for rule in granted for verb in rule["verbs"]} <= {"get", "list", "watch"}
    assert "*" not in str(granted)


def test_vmagent_reads_pods_in_the_namespaces_that_it_scrapes_only(full_example: Capture) -> None:
    roles = {namespace_of(role) for role in full_example.resources("Role") if role.name.endswith("-vmagent")}
    assert roles == {"honeydue", "kube-system", "monitoring", "logs"}
    (role,) = (role for role in full_example.resources("ClusterRole") if "vmagent" in role.name)
    assert [rule.get("resources", rule.get("nonResourceURLs")) for rule in role.inputs["rules"]] == [
        ["nodes"],
        ["nodes/metrics"],
        ["/metrics"],
    ]


def test_no_other_pod_of_monitoring_has_a_token(full_example: Capture) -> None:
    with_token = {
        name
        for name, resource in controllers(full_example).items()
        if resource.inputs["spec"]["template"]["spec"]["automountServiceAccountToken"]
    }
    assert with_token == {"vmagent", "kube-state-metrics"}


def test_credentials_are_only_in_secrets(full_example: Capture) -> None:
    """Not in arguments, which every user of a node can read, and not in ConfigMaps or the state in plain text."""
    for resource in full_example.registrations:
        if namespace_of(resource) in NAMESPACES:
            assert not [text for text in plain_strings(resource.request.object) if "placeholder-of-" in text], (
                resource.urn
            )
    for resource, container in containers(full_example):
        if namespace_of(resource) in NAMESPACES:
            assert "placeholder-of-" not in str(container), resource.urn
            assert not [argument for argument in container.get("args", []) if "assword=" in argument]
    obs = full_example.resource("Secret", "obs").inputs["stringData"]
    assert obs == {"username": "cluster", "password": "placeholder-of-metricsPassword"}
    # Not the Secret of the apps, which contains all of their passwords.
    assert full_example.resource("Secret", "redis-exporter").inputs["stringData"].keys() == {"REDIS_PASSWORD"}


def test_the_memory_of_all_parts_fits_into_600_mib(full_example: Capture) -> None:
    """Of one node, if every part with one or two pods runs on the same one."""
    limits = [
        container["resources"]["limits"]["memory"]
        for resource, container in containers(full_example)
        if namespace_of(resource) in NAMESPACES
    ]
    assert all(limit.endswith("Mi") for limit in limits)
    assert sum(int(limit.removesuffix("Mi")) for limit in limits) <= 600


def test_the_buffer_of_vmagent_fits_into_its_volume() -> None:
    program = program_with(bufferMi=2048)
    spec = program.resource("DaemonSet", "vmagent").inputs["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    (limit,) = (argument.rpartition("=")[2] for argument in container["args"] if "maxDiskUsagePerURL" in argument)
    (size,) = (volume["emptyDir"]["sizeLimit"] for volume in spec["volumes"] if "emptyDir" in volume)
    # vmagent deletes a file of 513 MiB when it has sent all of it.
    assert int(limit.removesuffix("MiB")) + 513 < 2048
    assert size == "2Gi"
    assert int(container["resources"]["limits"]["ephemeral-storage"].removesuffix("Mi")) > 2048


def test_vmagent_restarts_for_another_configuration_and_not_for_another_password(full_example: Capture) -> None:
    def annotation(program: Capture) -> str:
        template = program.resource("DaemonSet", "vmagent").inputs["spec"]["template"]
        checksum: str = template["metadata"]["annotations"]["honeydue/reads"]
        return checksum

    # It reads the file of the password again.
    password = run({**full_settings(), "honeydue:metricsPassword": "placeholder-of-another"})
    assert annotation(password) == annotation(full_example)
    assert annotation(program_with(api={"path": "/other"})) != annotation(full_example)
