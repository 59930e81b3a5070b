"""Finds values that were chosen in a console since the last `up`.

The program ignores changes of these properties (docs/adoption.md, "Fields that stay unchanged"), or the provider does
not compare them, so the plan contains no change. The outputs of the refreshed resource are compared with the state.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from pydantic import JsonValue

from ops.drift.refreshed import comparable
from ops.drift.rows import DriftRow, differences, last_steps
from ops.json_paths import top_level_key
from ops.plan import Plan, State
from ops.resource_types import FIREWALL, NETWORK, PLACEMENT_GROUP, PRIMARY_IP, RECORD, SERVER, SSH_KEY

CHOICES: Mapping[str, Sequence[str]] = {
    FIREWALL: ("labels",),
    NETWORK: ("labels", "exposeRoutesToVswitch"),
    PLACEMENT_GROUP: ("labels",),
    PRIMARY_IP: ("labels",),
    SERVER: ("backups", "labels", "networks"),
    SSH_KEY: ("labels",),
    RECORD: ("comment", "tags"),
}
"""Properties by type."""


def changed_choices(plan: Plan, states: Collection[State], reported: Collection[DriftRow]) -> Iterator[DriftRow]:
    """The choices that differ from the state, according to a plan that was made with a refresh.

    A property with a row in `reported` is left out: there the program declares it and restores it.
    """
    recorded = {state.urn: state for state in states}
    covered = {(row.resource, top_level_key(row.property)) for row in reported}
    for step in last_steps(plan):
        if not (step.old and step.new) or step.urn not in recorded:
            continue
        before, after = _choices(recorded[step.urn]), _choices(step.old)
        for name in sorted({*before, *after}):
            if (step.short, name) not in covered:
                yield from differences(step.short, name, before.get(name), after.get(name))


def _choices(state: State) -> Mapping[str, JsonValue]:
    """The chosen values of a resource, without those that are unset."""
    outputs = {name: state.outputs[name] for name in CHOICES.get(state.type, ()) if state.outputs.get(name)}
    return comparable(state.model_copy(update={"inputs": outputs}))


def record_instructions(rows: Collection[DriftRow]) -> Sequence[str]:
    """How to record these choices, as sentences."""
    if not rows:
        return []
    names = ", ".join(sorted({f"{row.resource} {top_level_key(row.property)}" for row in rows}))
    return [
        f"These values were chosen in a console after the last up: {names}. "
        "make up REFRESH=1 keeps them and records them. Change them back in the console if they are wrong"
    ]
