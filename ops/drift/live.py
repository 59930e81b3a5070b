"""Reads the live Kubernetes objects of a stack, with few requests."""

from collections.abc import Collection, Mapping, Sequence

from infra.names import OWN_NAMESPACES
from ops.errors import ForbiddenError
from ops.json_paths import dig
from ops.kubernetes import Cluster, Object
from ops.plan import State

KUBERNETES = "kubernetes:"
PATCH = "Patch"
"""The suffix of resources that declare some fields of another owner's object, for example ServiceAccountPatch."""
FIELD_MANAGER = "__fieldManager"
"""The output in which the provider stores its field manager for an object."""


class CachedCluster(Cluster):
    """A cluster that lists each kind once. Objects in the stack's own namespaces are read from these lists."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lists: dict[tuple[str, str, str], Sequence[Object] | ForbiddenError] = {}

    def list(self, api_version: str, kind: str, namespace: str) -> Sequence[Object]:
        key = (api_version, kind, namespace)
        if key not in self._lists:
            self._lists[key] = self._list(*key)
        objects = self._lists[key]
        if isinstance(objects, ForbiddenError):
            raise objects
        return objects

    def _list(self, api_version: str, kind: str, namespace: str) -> Sequence[Object] | ForbiddenError:
        try:
            items = self._cluster.list(api_version, kind, namespace)
        except ForbiddenError as error:
            return error
        # The items of a list have no kind.
        return [{"apiVersion": api_version, "kind": kind, **item} for item in items]

    def get(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object | None:
        if namespace in OWN_NAMESPACES:
            try:
                objects = self.list(api_version, kind, namespace)
            except ForbiddenError:
                # An account may be allowed to read single objects.
                pass
            else:
                return next((live for live in objects if live["metadata"]["name"] == name), None)
        return self._cluster.get(api_version, kind, namespace, name)


def live_objects(cluster: Cluster, resources: Collection[State]) -> Mapping[str, Object]:
    """The objects of these resources in the cluster, by URN, without missing ones and without those of patches."""
    objects = {
        state.urn: cluster.get(*key)
        for state in resources
        if state.type.startswith(KUBERNETES) and not state.type.endswith(PATCH) and (key := _key(state))
    }
    return {urn: live for urn, live in objects.items() if live}


def _key(state: State) -> tuple[str, str, str | None, str] | None:
    """API version, kind, namespace and name. None for a resource that is no object, for example the provider."""
    values = (
        dig(state.outputs, *path)
        for path in (("apiVersion",), ("kind",), ("metadata", "namespace"), ("metadata", "name"))
    )
    version, kind, namespace, name = (value if isinstance(value, str) else "" for value in values)
    return (version, kind, namespace or None, name) if version and kind and name else None
