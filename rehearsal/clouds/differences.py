"""What changes between two sets of inputs, property by property, and whether it takes another resource."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .kinds import EVERYTHING, Kind
from .schema import ResourceType
from .shapes import canonical, completed, same, shaped_inputs, without_chosen
from .values import Props, Value

Change: TypeAlias = Literal["add", "update", "delete"]


@dataclass(frozen=True)
class Difference:
    """One changed property, by its path as Pulumi writes it: `rules[2].sourceIps[0]`."""

    path: str
    change: Change
    replaces: bool

    @property
    def top(self) -> str:
        """The input that the property is part of."""
        return re.split(r"[.\[]", self.path, maxsplit=1)[0]


def differences(kind: Kind, resource: ResourceType, old: Props, new: Props) -> list[Difference]:
    """Everything that an update would change."""
    before = completed(shaped_inputs(old, resource), kind)
    after = completed(shaped_inputs(new, resource), kind)
    found: list[Difference] = []
    for name in resource.arguments:
        was, is_ = before.get(name), after.get(name)
        if is_ is None and name in kind.computed:
            continue
        was = without_chosen(was, is_, name, kind)
        if same(was, is_, name, kind):
            continue
        replaces = kind.replaces == EVERYTHING or name in kind.replaces
        found += [Difference(path, change, replaces) for path, change in _inside(was, is_, name, name, kind)]
    return found


def _inside(old: Value, new: Value, path: str, plain: str, kind: Kind) -> Iterator[tuple[str, Change]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            if not same(old.get(name), new.get(name), f"{plain}.{name}", kind):
                yield from _inside(old.get(name), new.get(name), f"{path}.{name}", f"{plain}.{name}", kind)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _inside_list(old, new, path, plain, kind)
    elif old is None:
        yield path, "add"
    elif new is None:
        yield path, "delete"
    else:
        yield path, "update"


def _inside_list(old: list[Value], new: list[Value], path: str, plain: str, kind: Kind) -> Iterator[tuple[str, Change]]:
    ordered = plain not in kind.sets
    one = [canonical(part, plain, kind) for part in old]
    other = [canonical(part, plain, kind) for part in new]
    for index in range(max(len(one), len(other))):
        # In a set, what is only somewhere else has not changed.
        gone = index < len(one) and (ordered or one[index] not in other)
        come = index < len(other) and (ordered or other[index] not in one)
        if gone and come:
            if one[index] != other[index]:
                yield from _inside(old[index], new[index], f"{path}[{index}]", plain, kind)
        elif gone:
            yield f"{path}[{index}]", "delete"
        elif come:
            yield f"{path}[{index}]", "add"
