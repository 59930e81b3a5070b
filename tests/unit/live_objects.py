"""Live objects with their declarations: recorded in a rehearsal, or with only the fields that a test needs."""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ops.drift.objects import ObjectDrift, object_drifts
from ops.errors import OpsError
from ops.kubernetes import Cluster, Object, Operation
from ops.plan import Plan, State
from tests.unit.plans import plan, state, step

RECORDED = Path(__file__).parent / "recorded" / "manual-changes.json"
"""Objects of every kind after the changes of MANUAL_CHANGES (test_drift_objects.py), and after a rollout restart."""
MANAGER = "pulumi-kubernetes-1234abcd"


@dataclass(kw_only=True)
class DeclaredObject:
    """An object of the cluster, and what plan and state have about it. `applied` are its inputs in the state."""

    urn: str
    type: str
    declared: dict[str, Any]
    live: dict[str, Any]
    manager: str = MANAGER
    applied: dict[str, Any] | None = None
    stored: dict[str, Any] = field(default_factory=dict)
    op: str = "same"
    changed: Sequence[str] = ()

    @classmethod
    def of(cls, declared: dict[str, Any], live: dict[str, Any], *managed_fields: dict[str, Any], **more: Any) -> Self:
        """An object of a kind that has these values, and these entries of `managedFields`."""
        kind = more.pop("kind", "networking.k8s.io/v1:NetworkPolicy")
        version, _, name = kind.partition(":")
        identity = {"apiVersion": version.removeprefix("core/"), "kind": name}
        metadata = {"name": "example", "namespace": "honeydue"}
        # A test may change the live object.
        live = copy.deepcopy(live)
        live_metadata = {**metadata, **live.get("metadata", {}), "resourceVersion": "1"}
        type_ = f"kubernetes:{kind}"
        return cls(
            urn=f"urn:pulumi:prod::honeydue::honeydue:some:Component${type_}::example",
            type=type_,
            declared={**identity, **declared, "metadata": {**metadata, **declared.get("metadata", {})}},
            live={**identity, **live, "metadata": {**live_metadata, "managedFields": list(managed_fields)}},
            **more,
        )

    def step(self) -> dict[str, Any]:
        name = self.urn.rpartition("::")[2]
        return {
            **step(self.op, self.type, name, changed=tuple(self.changed), inputs=self.declared),
            "urn": self.urn,
        } | {"newState": {**state(self.type, name, inputs=self.declared), "urn": self.urn}}

    def state(self) -> State:
        outputs = {**self.stored, "__fieldManager": self.manager}
        inputs = self.declared if self.applied is None else self.applied
        return State.model_validate(
            {"urn": self.urn, "type": self.type, "custom": True, "inputs": inputs, "outputs": outputs}
        )


def owned(manager: str, fields: Mapping[str, Any], operation: str = "Update", **more: str) -> dict[str, Any]:
    """An entry of `managedFields`."""
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "networking.k8s.io/v1",
        "fieldsV1": fields,
        **more,
    }


def recorded() -> list[DeclaredObject]:
    return [DeclaredObject(**entry) for entry in json.loads(RECORDED.read_text())]


def refreshed(objects: Sequence[DeclaredObject]) -> Plan:
    return plan(*(item.step() for item in objects))


def drifts(objects: Sequence[DeclaredObject]) -> Sequence[ObjectDrift]:
    live = {item.urn: item.live for item in objects}
    return object_drifts(refreshed(objects), [item.state() for item in objects], live)


def rows(objects: Sequence[DeclaredObject]) -> dict[tuple[str, str], tuple[Any, Any]]:
    """Declared and actual values by resource and property."""
    return {
        (row.resource, row.property): (row.declared, row.actual) for drift in drifts(objects) for row in drift.rows()
    }


class PatchedCluster(Cluster):
    """A cluster with these objects. It applies the operations of a JSON Patch that the program uses.

    `before_patch` runs before each patch, for example to change an object as a controller would.
    """

    def __init__(self, objects: Sequence[DeclaredObject], before_patch: Callable[[dict[str, Any]], object]) -> None:
        self._objects = {(item.live["kind"], item.live["metadata"]["name"]): item.live for item in objects}
        self._before_patch = before_patch

    def get(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object | None:  # noqa: ARG002
        return copy.deepcopy(self._objects.get((kind, name)))

    def patch(self, live: Object, operations: Sequence[Operation], *, manager: str | None = None) -> Object:  # noqa: ARG002
        stored = self._objects[live["kind"], live["metadata"]["name"]]
        self._before_patch(stored)
        for operation in operations:
            _apply(stored, operation)
        stored["metadata"]["resourceVersion"] += "1"
        return copy.deepcopy(stored)


def _apply(target: Any, operation: Operation) -> None:
    *parents, last = [key.replace("~1", "/").replace("~0", "~") for key in str(operation["path"]).split("/")[1:]]
    for parent in parents:
        target = target[int(parent) if isinstance(target, list) else parent]
    key: int | str = int(last) if isinstance(target, list) else last
    match operation["op"]:
        case "test":
            if target[key] != operation["value"]:
                raise OpsError(f"the value at {operation['path']} differs")
        case "remove":
            del target[key]
        case "replace":
            target[key] = operation["value"]
