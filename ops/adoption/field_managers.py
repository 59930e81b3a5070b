"""Whom the fields of an adopted object belong to: what kubectl applied becomes the program's, as the API server keeps account of it.

The provider does the same with its first real update, but not in a preview: until then the API server would refuse its dry runs,
or judge them with fields that are about to go. Only `metadata.managedFields` is written. No pod, no generation changes.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops.adoption.findings import dig
from ops.kubernetes import Cluster, Object
from ops.plan import State

FORMER = ("kubectl", "before-first-apply", "deploy@")
"""Managers that give way, by how their names begin: kubectl in all its commands, and k3s applying a file of a node's disk."""
FIELDS = "fieldsV1"


@dataclass(frozen=True, kw_only=True)
class Handover:
    """An object, and the account of its fields as it shall be."""

    live: Object
    fields: Sequence[Mapping[str, Any]]

    def apply(self, cluster: Cluster) -> None:
        """Refused by the API server when somebody changed the object since it was read."""
        cluster.patch(
            self.live,
            [
                {"op": "test", "path": "/metadata/resourceVersion", "value": self.live["metadata"]["resourceVersion"]},
                {"op": "replace", "path": "/metadata/managedFields", "value": list(self.fields)},
            ],
        )


def handovers(cluster: Cluster, held: Iterable[State]) -> Iterator[Handover]:
    """Of all Kubernetes objects that the stack holds, those in which somebody else has a say."""
    for state in held:
        manager = state.outputs.get("__fieldManager")
        if not state.type.startswith("kubernetes:") or state.type.endswith("Patch") or not isinstance(manager, str):
            continue
        where = {key: dig(state.outputs, *path) for key, path in _PLACE.items()}
        version, kind, namespace, name = (value if isinstance(value, str) else "" for value in where.values())
        live = cluster.get(version, kind, namespace or None, name)
        if live and (fields := given_to(manager, live["apiVersion"], live["metadata"].get("managedFields") or [])):
            yield Handover(live=live, fields=fields)


_PLACE = {
    "version": ("apiVersion",),
    "kind": ("kind",),
    "namespace": ("metadata", "namespace"),
    "name": ("metadata", "name"),
}


def given_to(manager: str, version: str, managed: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The account with the former managers' fields as the manager's own; empty when there is nothing to give.

    Fields of a status, and those written through another version of the kind, stay with whoever wrote them.
    """
    former = [one for one in managed if _gives_way(one) and one["apiVersion"] == version]
    if not former:
        return []
    ours = [
        one
        for one in managed
        if one["manager"] == manager and one["operation"] == "Apply" and not one.get("subresource")
    ]
    merged: dict[str, Any] = {}
    for one in [*ours, *former]:
        merged = _union(merged, one[FIELDS])
    entry = {"manager": manager, "operation": "Apply", "apiVersion": version, "fieldsType": "FieldsV1", FIELDS: merged}
    return [entry, *(one for one in managed if one not in former and one not in ours)]


def _gives_way(entry: Mapping[str, Any]) -> bool:
    return entry["manager"].startswith(FORMER) and not entry.get("subresource")


def _union(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    """Sets of fields are nested maps that end in empty ones."""
    return {key: _union(left.get(key, {}), right.get(key, {})) for key in {**left, **right}}
