"""What lives in the product's namespace and no program declares: it stays as it is, but somebody should know."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ops.adoption.findings import dig
from ops.kubernetes import Cluster, Object
from ops.plan import State

KUBERNETES = "kubernetes:"
NAMESPACE = "kubernetes:core/v1:Namespace"
OF_KUBERNETES = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}
"""In every namespace, made by Kubernetes itself."""


@dataclass(frozen=True, kw_only=True, order=True)
class Place:
    """A kind of object in a namespace."""

    namespace: str
    api_version: str
    kind: str


def beside(cluster: Cluster, states: Sequence[State], ids: Mapping[str, str]) -> Iterator[str]:
    """Names of objects of the kinds that the program uses, in its namespaces, that are neither of the stack nor about to be imported.

    `ids` are those of the import, by URN: an adopted object may have another name than the program gave it.
    """
    for place in places(states):
        yield from strangers(cluster, place, states, ids)


def places(states: Sequence[State]) -> Sequence[Place]:
    """Where the program's own objects are."""
    ours = [state for state in states if state.type.startswith(KUBERNETES)]
    namespaces = {str(dig(one.inputs, "metadata", "name")) for one in ours if one.type == NAMESPACE}
    kinds = {
        (str(dig(one.inputs, "apiVersion")), str(dig(one.inputs, "kind")))
        for one in ours
        if dig(one.inputs, "metadata", "namespace")
    }
    return sorted(
        Place(namespace=namespace, api_version=version, kind=kind)
        for namespace in namespaces
        for version, kind in kinds
    )


def strangers(cluster: Cluster, place: Place, states: Sequence[State], ids: Mapping[str, str]) -> Iterator[str]:
    """Of one place; a NotAllowedError where the account may not look there."""
    known = {(dig(one.inputs, "kind"), _name(one, ids)) for one in states if one.type.startswith(KUBERNETES)}
    for found in cluster.list(place.api_version, place.kind, place.namespace):
        name = found["metadata"]["name"]
        if (place.kind, name) not in known | OF_KUBERNETES and not _made_by_another(found):
            yield f"{place.kind} {name}"


def _name(state: State, ids: Mapping[str, str]) -> object:
    """An object's id is its namespace and its name."""
    return (ids.get(state.urn) or state.id).rpartition("/")[2] or dig(state.inputs, "metadata", "name")


def _made_by_another(found: Object) -> bool:
    """Whether a controller made it, whose work it is to remove it."""
    return bool(found["metadata"].get("ownerReferences"))
