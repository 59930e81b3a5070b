"""Compares two sets of inputs property by property, and determines which changes replace the resource."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .coercion import canonical, coerce_inputs, equivalent, with_defaults, without_computed
from .kinds import EVERYTHING, Kind
from .schema import ResourceType
from .values import Props, Value

Change: TypeAlias = Literal["add", "update", "delete"]


@dataclass(frozen=True)
class Difference:
    """A changed property. The path has Pulumi's form: `rules[2].sourceIps[0]`."""

    path: str
    change: Change
    replaces: bool

    @property
    def input(self) -> str:
        """The name of the input that contains the property."""
        return re.split(r"[.\[]", self.path, maxsplit=1)[0]


def differences(kind: Kind, resource: ResourceType, old: Props, new: Props) -> list[Difference]:
    """Every property that an update changes."""
    before = with_defaults(coerce_inputs(old, resource), kind)
    after = with_defaults(coerce_inputs(new, resource), kind)
    result: list[Difference] = []
    for name in resource.arguments:
        old_value, new_value = before.get(name), after.get(name)
        if new_value is None and name in kind.computed:
            continue
        old_value = without_computed(old_value, new_value, name, kind)
        if equivalent(old_value, new_value, name, kind):
            continue
        replaces = kind.replaces == EVERYTHING or name in kind.replaces
        changes = _changes(old_value, new_value, name, name, kind)
        result += [Difference(path, change, replaces) for path, change in changes]
    return result


def _changes(old: Value, new: Value, path: str, kind_path: str, kind: Kind) -> Iterator[tuple[str, Change]]:
    # `kind_path` is the path without indices, as the fields of Kind contain it.
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            if not equivalent(old.get(name), new.get(name), f"{kind_path}.{name}", kind):
                yield from _changes(old.get(name), new.get(name), f"{path}.{name}", f"{kind_path}.{name}", kind)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _list_changes(old, new, path, kind_path, kind)
    elif old is None:
        yield path, "add"
    elif new is None:
        yield path, "delete"
    else:
        yield path, "update"


def _list_changes(
    old: list[Value], new: list[Value], path: str, kind_path: str, kind: Kind
) -> Iterator[tuple[str, Change]]:
    ordered = kind_path not in kind.sets
    before = [canonical(item, kind_path, kind) for item in old]
    after = [canonical(item, kind_path, kind) for item in new]
    for index in range(max(len(before), len(after))):
        # In a set, an item that is only at another index is unchanged.
        removed = index < len(before) and (ordered or before[index] not in after)
        added = index < len(after) and (ordered or after[index] not in before)
        if removed and added:
            if before[index] != after[index]:
                yield from _changes(old[index], new[index], f"{path}[{index}]", kind_path, kind)
        elif removed:
            yield f"{path}[{index}]", "delete"
        elif added:
            yield f"{path}[{index}]", "add"
