"""What of a refreshed plan is drift: where the world is not as declared, property by property."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from ops.adoption.findings import UNKNOWN
from ops.plain_text import MASK, masked
from ops.plan import Plan, State, Step

JOB = "kubernetes:batch/v1:Job"
IDENTITY = ("name", "description", "host", "key")
"""What tells one element of a list from the others: of containers, firewall rules, hosts of an ingress, key references."""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One difference. `declared` and `found` are None where there is nothing; without a property it is the thing itself."""

    resource: str
    property: str = ""
    declared: JsonValue = None
    found: JsonValue = None


GONE, STANDS = "gone", "is there"
NEVER_APPLIED = "never applied"
NOT_DECLARED = "not in the stack"


def drifts(plan: Plan, held: Collection[str]) -> Iterator[Drift]:
    """Of a plan made with a refresh; `held` are the URNs of the stack.

    A resource has several steps then: how it was found, and last what the program makes of it, which is the difference.
    """
    for step in _last(plan):
        if not step.touches or expected(step, held):
            continue
        if step.old and step.new:
            yield from _properties(step, step.old, step.new)
        elif step.new:
            yield Drift(resource=step.short, declared=STANDS, found=GONE if step.urn in held else NEVER_APPLIED)
        else:
            yield Drift(resource=step.short, declared="no longer declared", found=STANDS)


def motions(plan: Plan, held: Collection[str]) -> Sequence[str]:
    """What moved by itself, as it may."""
    return [f"{step.short} was cleaned up after it was done" for step in _last(plan) if expected(step, held)]


def expected(step: Step, held: Collection[str]) -> bool:
    """Whether it is a finished Job that somebody cleaned up: all it did is done.

    What else moves by itself never gets here: the provider compares what the program declares, and of an autoscaled Deployment
    that is not the number of its pods.
    """
    return step.op == "create" and step.state.type == JOB and step.urn in held


def _last(plan: Plan) -> Sequence[Step]:
    return sorted({step.urn: step for step in plan.steps}.values(), key=lambda step: step.short)


def _properties(step: Step, found: State, declared: State) -> Iterator[Drift]:
    told = [_without_places(path) for path in step.changed]
    ours, theirs = masked(declared), masked(found)
    rows = [
        row
        for row in differences(step.short, "", dict(ours), dict(theirs))
        # The provider is the judge: to it, two ways to write a value may be one.
        if not told or any(_within(_without_places(row.property), path) for path in told)
    ]
    # Unknown before an `up` is what follows from another difference.
    yield from (row for row in rows if UNKNOWN not in json.dumps(row.declared))
    seen = [_without_places(row.property) for row in rows]
    for path in dict.fromkeys(path for path in told if not any(_within(path, one) for one in seen)):
        # Alike to us: both are masked, or the difference is in what the cloud computes.
        hidden = MASK in json.dumps([ours.get(_top(path)), theirs.get(_top(path))])
        yield Drift(
            resource=step.short, property=path, declared=MASK if hidden else "as declared", found="another value"
        )
    if not told and not rows:
        yield Drift(resource=step.short, declared="ready", found="not ready")


def differences(resource: str, path: str, declared: JsonValue, found: JsonValue) -> Iterator[Drift]:
    """Every place in which two values differ, as deep as they have the same shape."""
    if declared == found:
        return
    if isinstance(declared, dict) and isinstance(found, dict):
        for key in sorted({*declared, *found}):
            yield from differences(resource, _joined(path, key), declared.get(key), found.get(key))
    elif isinstance(declared, list) and isinstance(found, list):
        yield from _elements(resource, path, declared, found)
    elif isinstance(declared, str) and isinstance(found, str) and "\n" in declared + found:
        yield from _elements(resource, path, list(declared.splitlines()), list(found.splitlines()))
    else:
        yield Drift(resource=resource, property=path, declared=declared, found=found)


def _elements(resource: str, path: str, declared: list[JsonValue], found: list[JsonValue]) -> Iterator[Drift]:
    """Elements of one name are compared, and of the others, those only one side has are told: an insertion shifts nothing."""
    key = next((key for key in IDENTITY if _named(declared, key)), "")
    ours, theirs = _named(declared, key), _named(found, key)
    for name in [name for name in ours if name in theirs]:
        yield from differences(resource, f"{path}[{name}]", ours[name], theirs[name])
    missing = _left(declared, [*found, *(ours[name] for name in ours if name in theirs)])
    added = _left(found, [*declared, *(theirs[name] for name in theirs if name in ours)])
    if missing or added:
        yield Drift(resource=resource, property=path, declared=missing or None, found=added or None)
    elif sorted(map(json.dumps, declared)) == sorted(map(json.dumps, found)) and not ours:
        yield Drift(resource=resource, property=path, declared=declared, found=found)


def _named(elements: Sequence[JsonValue], key: str) -> Mapping[str, JsonValue]:
    """Those that have this key, by what it holds; none where two hold the same."""
    with_key = [one for one in elements if isinstance(one, dict) and one.get(key)]
    named = {str(one[key]): one for one in with_key}
    return dict(named) if len(named) == len(with_key) else {}


def _left(elements: Sequence[JsonValue], without: Sequence[JsonValue]) -> list[JsonValue]:
    """What remains when each element of the second list is taken away once."""
    left = list(elements)
    for one in without:
        if one in left:
            left.remove(one)
    return left


def _joined(path: str, key: str) -> str:
    if "." in key:
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def _without_places(path: str) -> str:
    """ "rules.sourceIps" of "rules[2].sourceIps[4]": which element it is depends on who counts."""
    return re.sub(r"\[[^\"\]]*\]", "", path)


def _top(path: str) -> str:
    return path.partition("[")[0].partition(".")[0]


def _within(one: str, other: str) -> bool:
    """Whether either path leads through the other."""
    return one == other or one.startswith((f"{other}.", f"{other}[")) or other.startswith((f"{one}.", f"{one}["))
