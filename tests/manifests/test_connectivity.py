"""Every pod has a policy of its own, and what the policies allow together is the reviewed table."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import pytest

from infra.settings.schema import App
from tests.manifests.connectivity import ELSEWHERE, TABLE, End, Port, allowed, matrix, table, templates
from tests.unit.manifests import Object, of

APP = "app.kubernetes.io/name"
KUBERNETES_OWN = {"default", "kube-system", "kube-public", "kube-node-lease"}


def app_of(policy: Object) -> str | None:
    """The app that a policy is about; None for one about a whole namespace."""
    app: str | None = policy["spec"]["podSelector"].get("matchLabels", {}).get(APP)
    return app


def without_policy(objects: Sequence[Object]) -> list[str]:
    """What makes pods that not exactly one policy selects by their labels, both ways."""
    own = [
        (one["metadata"]["namespace"], labels.items())
        for one in of(objects, "NetworkPolicy")
        if one["spec"]["policyTypes"] == ["Ingress", "Egress"]
        and (labels := one["spec"]["podSelector"].get("matchLabels"))
    ]
    return [
        one["metadata"]["name"]
        for one, template in templates(objects)
        if sum(
            namespace == one["metadata"]["namespace"] and labels <= template["metadata"]["labels"].items()
            for namespace, labels in own
        )
        != 1
    ]


def test_the_table_is_what_the_policies_allow(example: Sequence[Object]) -> None:
    assert TABLE.read_text() == table(example), (
        "docs/connectivity.md is out of date: run make connectivity, and review the diff"
    )


def test_every_workload_has_a_policy_of_its_own(objects: Sequence[Object]) -> None:
    made = {one["metadata"]["name"] for one, _ in templates(objects)}
    assert made >= {*get_args(App), "redis", "migrate"}
    assert without_policy(objects) == []


@pytest.mark.parametrize("app", ["api", "worker", "admin", "web", "redis", "migrate"])
def test_a_workload_without_a_policy_is_found(example: Sequence[Object], app: str) -> None:
    rest = [one for one in example if (one["kind"], one["metadata"]["name"]) != ("NetworkPolicy", app)]
    assert without_policy(rest) == [app]


def test_every_namespace_is_closed_both_ways_to_a_pod_without_a_policy(objects: Sequence[Object]) -> None:
    namespaces = {one["metadata"]["name"] for one in of(objects, "Namespace")} | KUBERNETES_OWN
    whole = {
        one["metadata"]["namespace"]: one["spec"]
        for one in of(objects, "NetworkPolicy")
        if one["spec"]["podSelector"] == {} and one["spec"]["policyTypes"] == ["Ingress", "Egress"]
    }
    assert whole.keys() == namespaces
    for namespace in namespaces - {"kube-system"}:
        assert (whole[namespace]["ingress"], whole[namespace]["egress"]) == ([], []), namespace


def test_both_halves_of_every_edge_between_apps_are_there(objects: Sequence[Object]) -> None:
    halves: dict[str, set[tuple[str, str, int]]] = {"calls": set(), "is called": set()}
    for policy in of(objects, "NetworkPolicy"):
        if (app := app_of(policy)) is None:
            continue
        for direction, end, half in (("egress", "to", "calls"), ("ingress", "from", "is called")):
            for rule in policy["spec"][direction]:
                named = [peer["podSelector"]["matchLabels"][APP] for peer in rule[end] if APP in str(peer)]
                edges = [(app, other) if direction == "egress" else (other, app) for other in named]
                halves[half] |= {(*edge, port["port"]) for edge in edges for port in rule["ports"]}
    assert halves["calls"] == halves["is called"] != set()


def test_what_the_book_promises(example: Sequence[Object]) -> None:
    found = matrix(example)
    callers = {row for row, _ in found}
    assert {row for row in callers if found.get((row, "redis"))} == {"api", "worker"}
    assert {row for row in callers if found.get((row, "metadata address"))} <= {
        "a node (Traefik)",
        "a node's bridge (Traefik)",
        "internet",
    }
    assert {column: ports for (row, column), ports in found.items() if row == "migrate" and ports} == {
        "CoreDNS": ["53", "53/udp"],
        "internet": ["5432"],
    }
    for app, port in {"api": "8000", "admin": "3000", "web": "3000"}.items():
        for traefik in ("a node (Traefik)", "a node's bridge (Traefik)"):
            assert found[traefik, app] == [port]


def test_policies_are_of_the_kind_the_evaluator_judges_as_kubernetes_does(objects: Sequence[Object]) -> None:
    # cyclonus takes a label that is absent as no match of NotIn; to Kubernetes it is one.
    assert "matchExpressions" not in str(of(objects, "NetworkPolicy"))


POD = End(title="pod", ip="10.42.9.1", namespace="default", labels={"app": "one"})
OUTSIDE = End(title="outside", ip="10.1.2.3")


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
def test_the_evaluator_knows_what_policies_mean(policies: Sequence[Object], expected: bool) -> None:
    """As https://kubernetes.io/docs/concepts/services-networking/network-policies/ has it."""
    assert allowed(policies, [(OUTSIDE, POD, Port(number=80))]) == [expected]


def test_the_evaluator_tells_namespaces_and_pods_apart() -> None:
    peer = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}},
        "podSelector": {"matchLabels": {"app": "x"}},
    }
    chosen = End(title="x", ip="10.42.9.2", namespace="default", labels={"app": "x"})
    stranger = End(title="x", ip="10.42.9.3", namespace="other", labels={"app": "x"})
    asked = [(one, POD, Port(number=80)) for one in (chosen, stranger, ELSEWHERE)]
    assert allowed([policy(ingress=[{"from": [peer]}])], asked) == [True, False, False]
