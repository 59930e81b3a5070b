"""Extracts drift from a refreshed plan: one row for each property that differs from its declared value."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from ops.drift.refreshed import comparable, firewall_rule_text, is_internal, refreshed
from ops.engine.sentinels import UNKNOWN
from ops.json_paths import top_level_key
from ops.plain_text import MASK
from ops.plan import Plan, State, Step

JOB = "kubernetes:batch/v1:Job"
IDENTIFYING_KEYS = ("name", "description", "host", "key")
"""Keys that identify an element of a list, for example of containers, firewall rules or the hosts of an Ingress."""


@dataclass(frozen=True, kw_only=True)
class DriftRow:
    """One difference.

    Attributes:
        property: path of the property, or empty for the resource itself.
        declared: the declared value, or None if the program declares none.
        actual: the actual value, or None if there is none.
    """

    resource: str
    property: str = ""
    declared: JsonValue = None
    actual: JsonValue = None


EXISTS, MISSING = "exists", "missing"
NEVER_APPLIED = "never applied"
NOT_DECLARED = "not in the stack"


def drift_rows(plan: Plan, state_urns: Collection[str]) -> Iterator[DriftRow]:
    """The drift in a plan that was made with a refresh. `state_urns` are the URNs in the state.

    A resource has several steps in such a plan: first the refresh, last the change that the program would make.
    """
    for step in last_steps(plan):
        if not step.changes_resource or _is_expected(step, state_urns):
            continue
        if step.old and step.new:
            yield from _property_rows(step, step.old, step.new)
        elif step.new:
            yield DriftRow(
                resource=step.short, declared=EXISTS, actual=MISSING if step.urn in state_urns else NEVER_APPLIED
            )
        else:
            yield DriftRow(resource=step.short, declared="no longer declared", actual=EXISTS)


def expected_changes(plan: Plan, state_urns: Collection[str]) -> Sequence[str]:
    """Changes that are no drift, as sentences."""
    return [
        f"{step.short} was deleted after it completed" for step in last_steps(plan) if _is_expected(step, state_urns)
    ]


def _is_expected(step: Step, state_urns: Collection[str]) -> bool:
    """Whether the step recreates a completed Job that was cleaned up.

    Other expected changes are not in the plan: the provider compares only declared properties, which do not include the
    number of pods of an autoscaled Deployment.
    """
    return step.op == "create" and step.state.type == JOB and step.urn in state_urns


def last_steps(plan: Plan) -> Sequence[Step]:
    """The last step of each resource."""
    return sorted({step.urn: step for step in plan.steps}.values(), key=lambda step: step.short)


def _property_rows(step: Step, actual: State, declared: State) -> Iterator[DriftRow]:
    changed = [without_indices(path) for path in step.changed if not is_internal(path)]
    if step.changed and not changed:
        return
    names = {*declared.inputs, *actual.inputs, *map(top_level_key, changed)}
    declared_inputs, actual_inputs = comparable(declared), comparable(refreshed(actual, names))
    rows = [
        row
        for row in differences(step.short, "", declared_inputs, actual_inputs)
        # The provider decides what differs: it may treat two notations of a value as equal.
        if not changed or any(overlap(without_indices(row.property), path) for path in changed)
    ]
    # A value that is unknown before an `up` depends on another difference, which has its own row.
    yield from (row for row in rows if UNKNOWN not in json.dumps(row.declared))
    covered = [without_indices(row.property) for row in rows]
    for path in dict.fromkeys(path for path in changed if not any(overlap(path, other) for other in covered)):
        # The inputs are equal: both values are masked, or a computed property differs.
        key = top_level_key(path)
        hidden = MASK in json.dumps([declared_inputs.get(key), actual_inputs.get(key)])
        yield DriftRow(
            resource=step.short, property=path, declared=MASK if hidden else "as declared", actual="another value"
        )
    if not changed and not rows:
        yield DriftRow(resource=step.short, declared="ready", actual="not ready")


def differences(resource: str, path: str, declared: JsonValue, actual: JsonValue) -> Iterator[DriftRow]:
    """Compare two values recursively, as deep as both have the same structure."""
    if declared == actual:
        return
    if isinstance(declared, dict) and isinstance(actual, dict):
        for key in sorted({*declared, *actual}):
            yield from differences(resource, joined(path, key), declared.get(key), actual.get(key))
    elif isinstance(declared, list | None) and isinstance(actual, list | None):
        yield from _list_differences(resource, path, declared or [], actual or [])
    elif isinstance(declared, str) and isinstance(actual, str) and "\n" in declared + actual:
        yield from _list_differences(resource, path, list(declared.splitlines()), list(actual.splitlines()))
    else:
        yield DriftRow(resource=resource, property=path, declared=declared, actual=actual)


def _list_differences(
    resource: str, path: str, declared: list[JsonValue], actual: list[JsonValue]
) -> Iterator[DriftRow]:
    """Compare elements by name, so that an insertion shifts no other; report those that only one list contains."""
    key = next((key for key in IDENTIFYING_KEYS if _by_key(declared or actual, key)), "")
    declared_by_key, actual_by_key = _by_key(declared, key), _by_key(actual, key)
    common = [name for name in declared_by_key if name in actual_by_key]
    for name in common:
        element_path = f"{path}[{_printable(name)}]"
        yield from differences(resource, element_path, declared_by_key[name], actual_by_key[name])
    missing = _subtract(declared, [*actual, *(declared_by_key[name] for name in common)])
    added = _subtract(actual, [*declared, *(actual_by_key[name] for name in common)])
    if any(isinstance(element, dict) for element in [*missing, *added]):
        yield from (_element_row(resource, path, key, declared=element) for element in missing)
        yield from (_element_row(resource, path, key, actual=element) for element in added)
    elif missing or added:
        yield DriftRow(resource=resource, property=path, declared=missing or None, actual=added or None)
    elif sorted(map(json.dumps, declared)) == sorted(map(json.dumps, actual)) and not declared_by_key:
        # Only the order differs.
        yield DriftRow(resource=resource, property=path, declared=declared, actual=actual)


def _element_row(
    resource: str, path: str, key: str, *, declared: JsonValue = None, actual: JsonValue = None
) -> DriftRow:
    """The row of an element that only one of the lists contains."""
    element = declared or actual
    name = element.get(key) if isinstance(element, dict) else None
    return DriftRow(
        resource=resource,
        property=f"{path}[{_printable(str(name))}]" if name else path,
        declared=firewall_rule_text(declared) or declared,
        actual=firewall_rule_text(actual) or actual,
    )


def _printable(name: str) -> str:
    """The name of an element, as part of a path. Anybody can enter brackets into the description of a rule."""
    return re.sub(r'[\[\]"]', "'", name)


def _by_key(elements: Sequence[JsonValue], key: str) -> Mapping[str, JsonValue]:
    """The elements that have this key, by its value. Empty if two elements have the same value."""
    with_key = [element for element in elements if isinstance(element, dict) and element.get(key)]
    by_key = {str(element[key]): element for element in with_key}
    return dict(by_key) if len(by_key) == len(with_key) else {}


def _subtract(elements: Sequence[JsonValue], removed: Sequence[JsonValue]) -> list[JsonValue]:
    """The elements without one occurrence of each removed one."""
    remaining = list(elements)
    for element in removed:
        if element in remaining:
            remaining.remove(element)
    return remaining


def joined(path: str, key: str) -> str:
    """The path of a key in a map, for example `metadata.labels["example.com/x"]`."""
    if "." in key:
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def without_indices(path: str) -> str:
    """Reduce "rules[2].sourceIps[4]" to "rules.sourceIps": the two lists may number the same element differently."""
    return re.sub(r"\[[^\"\]]*\]", "", path)


def overlap(path: str, other: str) -> bool:
    """Whether the paths are equal or one contains the other."""
    return path == other or path.startswith((f"{other}.", f"{other}[")) or other.startswith((f"{path}.", f"{path}["))


def manual_changes(plan: Plan) -> Sequence[str]:
    """What this `up` puts back: resources and properties that somebody changed since the last update."""
    stored = {step.urn: step.old for step in plan.steps if step.op == "refresh" and step.old}
    return [
        f"{step.short} {', '.join(step.changed)}".rstrip()
        for step in last_steps(plan)
        if step.changes_resource and step.urn in stored and _is_manual(step, stored[step.urn])
    ]


def _is_manual(step: Step, stored: State) -> bool:
    """Whether the live resource differs from the state, or the program has not changed since the state was written.

    The second is needed for secrets, which the plan masks.
    """
    if step.old is None or step.new is None:
        return step.new is not None
    return step.old.inputs != stored.inputs or step.new.inputs == stored.inputs
