"""`make drift`: it reads the objects of the stack with few requests, also as an account that may not list all kinds."""

from collections.abc import Sequence

import pytest

from infra.names import KUBE_SYSTEM, NAMESPACE
from ops.drift.live import CachedCluster, live_objects
from ops.drift.undeclared import undeclared_objects
from ops.errors import ForbiddenError
from ops.kubernetes import Cluster, Object
from ops.plan import State
from tests.unit.plans import CONFIG_MAP, NETWORK_POLICY, state

ROLE, PATCH = "kubernetes:rbac.authorization.k8s.io/v1:Role", "kubernetes:core/v1:ServiceAccountPatch"


class CountedCluster(Cluster):
    """A cluster in which every object exists. Its account may read Roles, but not list them."""

    def __init__(self) -> None:
        self.requests: list[str] = []

    def list(self, api_version: str, kind: str, namespace: str) -> Sequence[Object]:  # noqa: ARG002
        self.requests.append(f"list {kind} in {namespace}")
        if kind == "Role":
            raise ForbiddenError("roles is forbidden")
        return [{"metadata": {"name": name, "namespace": namespace}} for name in ("a", "b", "undeclared")]

    def get(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object | None:
        self.requests.append(f"get {kind} {name} in {namespace}")
        return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}


def resource(type_: str, name: str, namespace: str = NAMESPACE) -> State:
    _, _, api = type_.partition(":")
    version, _, kind = api.partition(":")
    values = {
        "apiVersion": version.removeprefix("core/"),
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
    }
    return State.model_validate(
        state(type_, f"{namespace}-{name}", id=f"{namespace}/{name}", inputs=values, outputs=values)
    )


def test_each_kind_of_the_namespace_is_listed_once_and_other_objects_are_read() -> None:
    connected = CountedCluster()
    cluster = CachedCluster(connected)
    resources = [
        resource(CONFIG_MAP, "a"),
        resource(CONFIG_MAP, "b"),
        resource(CONFIG_MAP, "missing"),
        resource(ROLE, "viewer"),
        resource(ROLE, "deployer"),
        resource(NETWORK_POLICY, "dns", KUBE_SYSTEM),
        resource(PATCH, "default"),
        State.model_validate(state("pulumi:providers:kubernetes", "k3s")),
    ]
    live = live_objects(cluster, resources)
    assert {(item["kind"], item["metadata"]["name"]) for item in live.values()} == {
        ("ConfigMap", "a"),
        ("ConfigMap", "b"),
        ("Role", "viewer"),
        ("Role", "deployer"),
        ("NetworkPolicy", "dns"),
    }
    assert connected.requests == [
        f"list ConfigMap in {NAMESPACE}",
        f"list Role in {NAMESPACE}",
        f"get Role viewer in {NAMESPACE}",
        f"get Role deployer in {NAMESPACE}",
        f"get NetworkPolicy dns in {KUBE_SYSTEM}",
    ]
    namespace = State.model_validate(
        state("kubernetes:core/v1:Namespace", NAMESPACE, inputs={"metadata": {"name": NAMESPACE}})
    )
    undeclared = undeclared_objects(cluster, [*resources, namespace])
    assert "ConfigMap undeclared" in {row.resource for row in undeclared.rows}
    assert "Role" in undeclared.unlisted_kinds
    assert len(connected.requests) == len(set(connected.requests))


def test_a_list_that_is_forbidden_is_requested_once() -> None:
    connected = CountedCluster()
    cluster = CachedCluster(connected)
    for _ in range(2):
        with pytest.raises(ForbiddenError, match="roles is forbidden"):
            cluster.list("rbac.authorization.k8s.io/v1", "Role", NAMESPACE)
    assert connected.requests == [f"list Role in {NAMESPACE}"]
