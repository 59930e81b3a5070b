"""Finds objects in the program's namespaces that no stack declares. They are reported and never changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from infra.names import NAMESPACE as APPS
from ops.engine.sentinels import UNKNOWN
from ops.json_paths import dig
from ops.kubernetes import Cluster, Object
from ops.plan import State

KUBERNETES = "kubernetes:"
NAMESPACE = "kubernetes:core/v1:Namespace"
DEFAULT_OBJECTS = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}
"""Objects that Kubernetes creates in every namespace."""


@dataclass(frozen=True, kw_only=True, order=True)
class NamespacedKind:
    """A kind of object in one namespace."""

    namespace: str
    api_version: str
    kind: str


def undeclared_objects(cluster: Cluster, states: Sequence[State], ids: Mapping[str, str]) -> Iterator[str]:
    """Undeclared objects ("ConfigMap legacy") of every kind that the program uses, in its namespaces.

    `ids` are the ids of the resources to import, by URN: the name of an existing object may differ from the declared.
    """
    for kind in managed_kinds(states):
        yield from undeclared_of_kind(cluster, kind, states, ids)


def managed_kinds(states: Sequence[State]) -> Sequence[NamespacedKind]:
    """Every kind of namespaced object that the program declares, in each of its namespaces."""
    declared = [state for state in states if state.type.startswith(KUBERNETES)]
    namespaces = {str(dig(state.inputs, "metadata", "name")) for state in declared if state.type == NAMESPACE}
    kinds = {
        (str(dig(state.inputs, "apiVersion")), str(dig(state.inputs, "kind")))
        for state in declared
        if dig(state.inputs, "metadata", "namespace")
    }
    return sorted(
        NamespacedKind(namespace=namespace, api_version=version, kind=kind)
        for namespace in namespaces
        for version, kind in kinds
    )


def undeclared_of_kind(
    cluster: Cluster, kind: NamespacedKind, states: Sequence[State], ids: Mapping[str, str]
) -> Iterator[str]:
    """Undeclared objects of one kind. Raises a ForbiddenError if the account may not list it."""
    declared = {
        (dig(state.inputs, "kind"), _name(state, ids))
        for state in states
        if state.type.startswith(KUBERNETES) and dig(state.inputs, "metadata", "namespace") in (kind.namespace, UNKNOWN)
    }
    for live in cluster.list(kind.api_version, kind.kind, kind.namespace):
        name = live["metadata"]["name"]
        if (kind.kind, name) not in declared | DEFAULT_OBJECTS and not _has_owner(live):
            yield f"{kind.kind} {name}" if kind.namespace == APPS else f"{kind.kind} {kind.namespace}/{name}"


def _name(state: State, ids: Mapping[str, str]) -> object:
    """The object's name. A Kubernetes resource's id is "namespace/name"."""
    return (ids.get(state.urn) or state.id).rpartition("/")[2] or dig(state.inputs, "metadata", "name")


def _has_owner(live: Object) -> bool:
    """Whether a controller created the object and removes it again."""
    return bool(live["metadata"].get("ownerReferences"))
