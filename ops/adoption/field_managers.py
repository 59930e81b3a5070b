"""Transfers server-side-apply ownership of imported objects from kubectl to Pulumi.

The provider does the same with its first update, but not in a preview. Until then the API server would report conflicts
for its dry runs, or keep fields in them that the update removes. Only `metadata.managedFields` is written: no pod
restarts, and no `metadata.generation` changes.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops.json_paths import dig
from ops.kubernetes import Cluster, Object, unchanged
from ops.plan import State

FORMER_MANAGERS = ("kubectl", "before-first-apply", "deploy@")
"""Prefixes of managers whose fields are transferred: kubectl, and k3s applying a manifest from a node's disk."""
FIELDS = "fieldsV1"


@dataclass(frozen=True, kw_only=True)
class OwnershipTransfer:
    """An object and its new `managedFields`."""

    live: Object
    managed_fields: Sequence[Mapping[str, Any]]

    def apply(self, cluster: Cluster) -> None:
        """Write the fields. The API server rejects it if the object changed since it was read."""
        cluster.patch(
            self.live,
            [
                unchanged(self.live),
                {"op": "replace", "path": "/metadata/managedFields", "value": list(self.managed_fields)},
            ],
        )


def ownership_transfers(cluster: Cluster, resources: Iterable[State]) -> Iterator[OwnershipTransfer]:
    """The transfers for all Kubernetes objects in the state whose fields another manager owns."""
    for state in resources:
        manager = state.outputs.get("__fieldManager")
        if not state.type.startswith("kubernetes:") or state.type.endswith("Patch") or not isinstance(manager, str):
            continue
        version, kind, namespace, name = (
            value if isinstance(value := dig(state.outputs, *path), str) else "" for path in _OBJECT_KEY
        )
        live = cluster.get(version, kind, namespace or None, name)
        if live and (fields := transferred(manager, live["apiVersion"], live["metadata"].get("managedFields") or [])):
            yield OwnershipTransfer(live=live, managed_fields=fields)


_OBJECT_KEY = (("apiVersion",), ("kind",), ("metadata", "namespace"), ("metadata", "name"))


def _is_former(entry: Mapping[str, Any]) -> bool:
    return str(entry["manager"]).startswith(FORMER_MANAGERS)


def transferred(
    manager: str,
    api_version: str,
    managed_fields: Sequence[Mapping[str, Any]],
    is_former: Callable[[Mapping[str, Any]], bool] = _is_former,
) -> Sequence[Mapping[str, Any]]:
    """The `managedFields` after `manager` took the fields of the former managers. Empty if they own none.

    Fields of subresources, and fields that were written through another API version, keep their manager.
    """
    former = [
        entry
        for entry in managed_fields
        if is_former(entry) and not entry.get("subresource") and entry["apiVersion"] == api_version
    ]
    if not former:
        return []
    own = [
        entry
        for entry in managed_fields
        if entry["manager"] == manager and entry["operation"] == "Apply" and not entry.get("subresource")
    ]
    fields: dict[str, Any] = {}
    for entry in [*own, *former]:
        fields = _union(fields, entry[FIELDS])
    merged = {
        "manager": manager,
        "operation": "Apply",
        "apiVersion": api_version,
        "fieldsType": "FieldsV1",
        FIELDS: fields,
    }
    return [merged, *(entry for entry in managed_fields if entry not in former and entry not in own)]


def _union(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    """The union of two field sets. A field set is a nested map whose leaves are empty maps."""
    return {key: _union(left.get(key, {}), right.get(key, {})) for key in {**left, **right}}
