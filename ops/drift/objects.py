"""The drift of Kubernetes objects: a refreshed plan, completed with what the provider does not compare."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from ops.drift.comparison import Comparison, Difference
from ops.drift.live import FIELD_MANAGER
from ops.drift.managed_fields import Fields
from ops.drift.rows import DriftRow, last_steps
from ops.engine.sentinels import SECRET_SIGNATURE, SIGNATURE_KEY
from ops.kubernetes import Object
from ops.plain_text import MASK, masked
from ops.plan import Plan, State, Step

OWNERS = "metadata.managedFields"


@dataclass(frozen=True, kw_only=True)
class ObjectDrift:
    """One object that differs from its declaration.

    Attributes:
        urn, short: of the resource.
        manager: the field manager of the program for this object.
        declared: the declared object, with masked secrets.
        live: the object, with its secrets.
        covers_plan: whether the differences include those of the plan, without those of secrets.
        has_owners: whether any field of the object has an owner. `managedFields` can be emptied by hand.
    """

    urn: str
    short: str
    manager: str
    declared: Mapping[str, JsonValue]
    live: Object
    covers_plan: bool
    has_owners: bool
    differences: Sequence[Difference]

    def rows(self) -> Iterator[DriftRow]:
        if not self.has_owners:
            yield DriftRow(resource=self.short, property=OWNERS, declared=self.manager, actual=None)
        for item in self.differences:
            yield DriftRow(resource=self.short, property=item.path, declared=item.declared, actual=item.actual)


def object_drifts(plan: Plan, resources: Collection[State], live: Mapping[str, Object]) -> Sequence[ObjectDrift]:
    """The objects that differ from what the program declares.

    `resources` is the state with decrypted secrets, and `live` has the objects by URN.
    """
    states = {state.urn: state for state in resources}
    drifts = [
        _object_drift(step, states[step.urn], live[step.urn])
        for step in last_steps(plan)
        if step.new and step.urn in live and step.urn in states and step.op != "create"
    ]
    return [drift for drift in drifts if drift.differences or not drift.has_owners]


def _object_drift(step: Step, state: State, live: Object) -> ObjectDrift:
    manager = str(state.outputs.get(FIELD_MANAGER, ""))
    applied = {key: _decrypted(value) for key, value in state.inputs.items()}
    declared = {key: _with_keys(value, applied.get(key)) for key, value in masked(step.state).items()}
    content = {key: value for key, value in live.items() if key != "status"}
    content["metadata"] = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
    fields = Fields.of(live, manager)
    comparison = Comparison(
        kind=live["kind"],
        declared=declared,
        live=masked(step.state.model_copy(update={"inputs": content})),
        fields=fields,
        applied=applied,
        stored=state.outputs,
        changed=step.changed,
    )
    differences = list(comparison.differences())
    return ObjectDrift(
        urn=step.urn,
        short=step.short,
        manager=manager,
        declared=declared,
        live=live,
        covers_plan=bool(differences and step.changed),
        has_owners=bool(fields.sets),
        differences=differences,
    )


def _decrypted(value: JsonValue) -> JsonValue:
    """A value of the state without the engine's notation of secrets."""
    if isinstance(value, dict):
        if value.get(SIGNATURE_KEY) == SECRET_SIGNATURE:
            return _decrypted(json.loads(str(value["plaintext"]))) if "plaintext" in value else MASK
        return {key: _decrypted(item) for key, item in value.items()}
    return [_decrypted(item) for item in value] if isinstance(value, list) else value


def _with_keys(value: JsonValue, applied: JsonValue) -> JsonValue:
    """A value of a plan. A map that is secret as a whole gets its keys from the state, with masked values."""
    if value == MASK:
        return _masked_values(applied)
    if isinstance(value, dict) and isinstance(applied, dict):
        return {key: _with_keys(item, applied.get(key)) for key, item in value.items()}
    return value


def _masked_values(value: JsonValue) -> JsonValue:
    return {key: _masked_values(item) for key, item in value.items()} if isinstance(value, dict) else MASK


def merged_rows(rows: Collection[DriftRow], drifts: Collection[ObjectDrift]) -> Iterator[DriftRow]:
    """The rows of a plan and those of the objects.

    Those of an object are more exact: an element that was added in front shifts the others in the provider's list.
    """
    covered = {drift.short for drift in drifts if drift.covers_plan}
    yield from (row for row in rows if row.resource not in covered or row.declared == MASK)
    yield from (row for drift in drifts for row in drift.rows())
