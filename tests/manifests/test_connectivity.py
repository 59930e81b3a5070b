"""A network policy selects every pod, and together the policies allow exactly what docs/connectivity.md shows."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import pytest

from infra.settings.apps import App
from tests.manifests.connectivity import (
    COREDNS,
    INTERNET,
    NODE,
    OTHER_NAMESPACE,
    TABLE,
    Endpoint,
    Port,
    allowed,
    matrix,
    pod_templates,
    table,
    workloads,
)
from tests.unit.capture import example_settings, run
from tests.unit.manifests import Object, manifests, of_kind
from tests.unit.other_workloads import LABELS, SETTING

APP = "app.kubernetes.io/name"
KUBERNETES_NAMESPACES = {"default", "kube-system", "kube-public", "kube-node-lease"}


def app_of(policy: Object) -> str | None:
    """The app whose pods a policy selects; None for a policy that selects all pods of its namespace."""
    app: str | None = policy["spec"]["podSelector"].get("matchLabels", {}).get(APP)
    return app


def workloads_without_policy(objects: Sequence[Object]) -> list[str]:
    """Names of the workloads whose pods are not selected by exactly one policy for ingress and egress."""
    selectors = [
        (policy["metadata"]["namespace"], labels.items())
        for policy in of_kind(objects, "NetworkPolicy")
        if policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        and (labels := policy["spec"]["podSelector"].get("matchLabels"))
    ]
    return [
        workload["metadata"]["name"]
        for workload, template in pod_templates(objects)
        # No policy applies to the host network.
        if not template["spec"].get("hostNetwork")
        and sum(
            namespace == workload["metadata"]["namespace"] and labels <= template["metadata"]["labels"].items()
            for namespace, labels in selectors
        )
        != 1
    ]


def test_the_table_in_the_docs_is_up_to_date(monitored: Sequence[Object]) -> None:
    assert TABLE.read_text() == table(monitored), (
        "docs/connectivity.md is out of date: run make connectivity, and review the diff"
    )


def test_every_workload_is_selected_by_one_policy(objects: Sequence[Object]) -> None:
    names = {workload["metadata"]["name"] for workload, _ in pod_templates(objects)}
    assert names >= {*get_args(App), "redis", "migrate"}
    assert workloads_without_policy(objects) == []


@pytest.mark.parametrize("app", ["api", "worker", "admin", "web", "redis", "migrate"])
def test_a_workload_without_a_policy_is_reported(example: Sequence[Object], app: str) -> None:
    others = [
        manifest for manifest in example if (manifest["kind"], manifest["metadata"]["name"]) != ("NetworkPolicy", app)
    ]
    assert workloads_without_policy(others) == [app]


def test_every_namespace_denies_ingress_and_egress_by_default(objects: Sequence[Object]) -> None:
    namespaces = {namespace["metadata"]["name"] for namespace in of_kind(objects, "Namespace")} | KUBERNETES_NAMESPACES
    defaults = {
        policy["metadata"]["namespace"]: policy["spec"]
        for policy in of_kind(objects, "NetworkPolicy")
        if policy["spec"]["podSelector"] == {} and policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    }
    assert defaults.keys() == namespaces
    for namespace in namespaces - {"kube-system"}:
        assert (defaults[namespace]["ingress"], defaults[namespace]["egress"]) == ([], []), namespace


def test_every_connection_between_apps_has_an_egress_and_an_ingress_rule(objects: Sequence[Object]) -> None:
    connections: dict[str, set[tuple[str, str, int]]] = {"egress": set(), "ingress": set()}
    for policy in of_kind(objects, "NetworkPolicy"):
        if (app := app_of(policy)) is None:
            continue
        for direction, end in (("egress", "to"), ("ingress", "from")):
            for rule in policy["spec"].get(direction, []):
                peers = [peer["podSelector"]["matchLabels"][APP] for peer in rule[end] if APP in str(peer)]
                pairs = [(app, peer) if direction == "egress" else (peer, app) for peer in peers]
                connections[direction] |= {(*pair, port["port"]) for pair in pairs for port in rule["ports"]}
    assert connections["egress"] == connections["ingress"] != set()


def test_the_policies_allow_the_connections_of_the_deployment_book_only(example: Sequence[Object]) -> None:
    open_ports = matrix(example)
    rows = {row for row, _ in open_ports}
    assert {row for row in rows if open_ports.get((row, "redis"))} == {"api", "worker"}
    assert {row for row in rows if open_ports.get((row, "metadata address"))} <= {
        "a node (Traefik)",
        "a node's bridge (Traefik)",
        "internet",
    }
    assert {column: ports for (row, column), ports in open_ports.items() if row == "migrate" and ports} == {
        "CoreDNS": ["53", "53/udp"],
        "internet": ["5432"],
    }
    for app, port in {"api": "8000", "admin": "3000", "web": "3000"}.items():
        for traefik in ("a node (Traefik)", "a node's bridge (Traefik)"):
            assert open_ports[traefik, app] == [port]


def test_the_policies_allow_the_connections_of_monitoring_only(monitored: Sequence[Object]) -> None:
    open_ports = matrix(monitored)

    def destinations(source: str) -> dict[str, Sequence[str]]:
        rows = {column: ports for (row, column), ports in open_ports.items() if row == source and ports}
        assert rows.pop("CoreDNS")[0] == "53"
        return {column: ports for column, ports in rows.items() if column not in ("vmalert", "alertmanager")}

    assert destinations("vmagent") == {
        "api": ["8000"],
        "kube-state-metrics": ["8080"],
        "redis-exporter": ["9121"],
        "vlagent": ["9429"],
        "a node (Traefik)": ["2381", "6443", "9100", "9101", "10250"],
        "internet": ["443"],
    }
    assert destinations("vlagent") == {"a node (Traefik)": ["6443"], "internet": ["443"]}
    assert open_ports["vmagent", "CoreDNS"] == ["53", "9153", "53/udp"]
    assert destinations("kube-state-metrics") == {"a node (Traefik)": ["6443"]}
    assert destinations("redis-exporter") == {"redis": ["6379"]}
    assert {row for row, column in open_ports if column == "redis" and open_ports[row, column]} == {
        "api",
        "worker",
        "redis-exporter",
    }


def test_no_policy_uses_match_expressions(objects: Sequence[Object]) -> None:
    # For an absent label, NotIn matches in Kubernetes but not in cyclonus: the evaluator's verdict would be wrong.
    assert "matchExpressions" not in str(of_kind(objects, "NetworkPolicy"))


POD = Endpoint(title="pod", ip="10.42.9.1", namespace="default", labels={"app": "pod"})
ADDRESS = Endpoint(title="address", ip="10.1.2.3")


def policy(*, labels: Mapping[str, str] | None = None, **spec: Any) -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"podSelector": {"matchLabels": labels} if labels else {}, "policyTypes": ["Ingress"], **spec},
    }


BLOCK = {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ([], True),
        ([policy()], False),
        ([policy(labels={"app": "other"})], True),
        ([policy(ingress=[{}])], True),
        ([policy(), policy(ingress=[{}])], True),
        ([policy(ingress=[BLOCK])], False),
        ([policy(ingress=[{"from": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}])], True),
        ([policy(ingress=[{"from": [{"namespaceSelector": {}}]}])], False),
        ([policy(ingress=[{"ports": [{"port": 80}]}])], True),
        ([policy(ingress=[{"ports": [{"port": 80, "protocol": "UDP"}]}])], False),
        ([policy(ingress=[{"ports": [{"port": 79, "endPort": 81}]}])], True),
        ([policy(policyTypes=["Egress"])], True),
    ],
)
def test_the_evaluator_follows_the_semantics_of_network_policies(policies: Sequence[Object], expected: bool) -> None:
    """See https://kubernetes.io/docs/concepts/services-networking/network-policies/."""
    assert allowed(policies, [(ADDRESS, POD, Port(number=80))]) == [expected]


def test_the_evaluator_matches_namespace_and_pod_labels() -> None:
    peer = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}},
        "podSelector": {"matchLabels": {"app": "x"}},
    }
    same_namespace = Endpoint(title="x", ip="10.42.9.2", namespace="default", labels={"app": "x"})
    other_namespace = Endpoint(title="x", ip="10.42.9.3", namespace="other", labels={"app": "x"})
    connections = [(pod, POD, Port(number=80)) for pod in (same_namespace, other_namespace, OTHER_NAMESPACE)]
    assert allowed([policy(ingress=[{"from": [peer]}])], connections) == [True, False, False]


def test_both_ends_allow_the_connections_of_an_undeclared_workload(example: Sequence[Object]) -> None:
    setting = {"honeydue:otherWorkloads": {"vmagent": SETTING}}
    with_vmagent = manifests(run({**example_settings(), **setting}))
    agent = Endpoint(title="vmagent", ip="10.42.9.7", namespace="honeydue", labels=LABELS)
    (api,) = (endpoint for endpoint in workloads(example) if endpoint.title == "api")
    connections = [
        (agent, api, Port(number=8000)),
        (agent, COREDNS, Port(number=9153)),
        (agent, INTERNET, Port(number=443)),
        (agent, NODE, Port(number=9101)),
        (agent, api, Port(number=9153)),
        (OTHER_NAMESPACE, COREDNS, Port(number=9153)),
    ]
    assert allowed(of_kind(with_vmagent, "NetworkPolicy"), connections) == [True] * 4 + [False] * 2
    assert not any(allowed(of_kind(example, "NetworkPolicy"), connections))
