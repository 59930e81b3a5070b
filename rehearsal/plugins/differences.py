"""Compares the state of a resource with new inputs, and determines which changes replace the resource.

A plugin names the changes as its library does (pulumi-terraform-bridge, pkg/tfbridge/detailed_diff.go for SDKv2, and
pkg/pf/tfbridge/provider_diff.go for the plugin framework).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .coercion import canonical, coerce_inputs, equivalent, with_defaults, without_computed
from .kinds import EVERYTHING, Kind
from .schema import Argument, ListOf, ObjectOf, ResourceType, Scalar, Shape
from .values import UNKNOWN, Props, Value

Change: TypeAlias = Literal["add", "update", "delete"]


@dataclass(frozen=True)
class Difference:
    """A changed property. The path has Pulumi's form: `rules[2].sourceIps[0]`."""

    path: str
    change: Change
    replaces: bool

    @property
    def name(self) -> str:
        """The name of the input or output that contains the property."""
        return re.split(r"[.\[]", self.path, maxsplit=1)[0]


def differences(
    kind: Kind, resource: ResourceType, state: Props, new: Props, ignored: Sequence[str] = ()
) -> list[Difference]:
    """Every property that an update changes.

    Args:
        state: the properties in the state. A plugin does not compare the old inputs.
        ignored: the paths of `ignoreChanges`. The engine replaces their values itself before it asks for an update. It
            does not if another resource is replaced on which these values depend.
    """
    before = coerce_inputs(state, resource)
    after = with_defaults(coerce_inputs(new, resource), kind)
    changed: list[Difference] = []
    for name, argument in resource.arguments.items():
        old_value, new_value = before.get(name), after.get(name)
        if new_value is None and name in kind.computed:
            continue
        replaces = kind.replaces == EVERYTHING or name in kind.replaces
        old_value = without_computed(old_value, new_value, name, kind)
        if not equivalent(old_value, new_value, name, kind):
            fields = _Fields(kind, resource, argument.shape)
            changes = fields.changes(old_value, new_value, name, name)
            changed += [Difference(path, change, replaces) for path, change in changes]
        elif kind.dialect == "sdk2" and name in kind.defaults and name not in before:
            # An imported resource lacks inputs that the API does not return: SDKv2 adds their defaults.
            changed.append(Difference(name, "add", replaces))
    changed = [difference for difference in changed if not _is_ignored(difference.path, ignored)]
    return changed if kind.dialect == "sdk2" else _top_level(kind, resource, changed, new)


def _is_ignored(path: str, ignored: Sequence[str]) -> bool:
    return any(path == prefix or path.startswith((f"{prefix}.", f"{prefix}[")) for prefix in ignored)


def _top_level(kind: Kind, resource: ResourceType, changed: Sequence[Difference], new: Props) -> list[Difference]:
    """The changes as the plugin framework names them: top-level properties, with outputs that any change recomputes."""
    if not changed:
        return []
    names = {difference.name: difference.replaces for difference in changed}
    recomputed = resource.outputs if kind.recomputed == EVERYTHING else kind.recomputed
    names |= dict.fromkeys(recomputed - new.keys() - names.keys(), False)
    return [Difference(name, "update", replaces) for name, replaces in names.items()]


def _set_order(item: Value) -> str:
    """The order of a set in a plan of Terraform: by the values, in the order of their names (go-cty, cty/set_impl.go).

    The requests to Hetzner have another order (`hcloud/sets.py`).
    """
    return json.dumps(item, sort_keys=True, default=repr)


@dataclass(frozen=True)
class _Fields:
    """Compares one input. `kind_path` is a path without indices, as the fields of Kind contain it."""

    kind: Kind
    resource: ResourceType
    shape: Shape

    def changes(self, old: Value, new: Value, path: str, kind_path: str) -> Iterator[tuple[str, Change]]:
        if old is None or old == []:
            yield path, "add"
        elif new is None or new == []:
            yield path, "delete"
        elif isinstance(old, dict) and isinstance(new, dict):
            for name in sorted({*old, *new}):
                before, after = old.get(name), new.get(name)
                if not equivalent(before, after, f"{kind_path}.{name}", self.kind):
                    yield from self.changes(before, after, f"{path}.{name}", f"{kind_path}.{name}")
        elif isinstance(old, list) and isinstance(new, list) and UNKNOWN not in new:
            in_set = kind_path in self.kind.sets
            yield from (self._set_changes if in_set else self._list_changes)(old, new, path, kind_path)
        else:
            yield path, "update"

    def _list_changes(
        self, old: list[Value], new: list[Value], path: str, kind_path: str
    ) -> Iterator[tuple[str, Change]]:
        for index in range(max(len(old), len(new))):
            item_path = f"{path}[{index}]"
            if index >= len(new):
                yield item_path, "delete"
            elif index >= len(old):
                yield item_path, "add"
            elif not equivalent(old[index], new[index], kind_path, self.kind):
                yield from self.changes(old[index], new[index], item_path, kind_path)

    def _set_changes(
        self, old: list[Value], new: list[Value], path: str, kind_path: str
    ) -> Iterator[tuple[str, Change]]:
        old = sorted(old, key=_set_order)
        before = [canonical(item, kind_path, self.kind) for item in old]
        after = [canonical(item, kind_path, self.kind) for item in new]
        removed = [index for index, item in enumerate(before) if item not in after]
        added = [index for index, item in enumerate(after) if item not in before]
        if not all(self._is_as_planned(new[index], kind_path) for index in added):
            yield path, "update"
            return
        for index in sorted({*removed, *added}):
            # The index of a removed item is that in the state, the index of an added one that in the program.
            if index in removed and index in added:
                yield from self.changes(old[index], new[index], f"{path}[{index}]", kind_path)
            else:
                yield f"{path}[{index}]", "delete" if index in removed else "add"

    def _is_as_planned(self, item: Value, kind_path: str) -> bool:
        """Whether Terraform plans the item as the program writes it. The plugin finds its index only then."""
        shape = self.shape.item if isinstance(self.shape, ListOf) else self.shape
        if not isinstance(item, dict) or not isinstance(shape, ObjectOf):
            return True
        arguments = self.resource.package.nested(shape.cls)
        return all(self._field_is_as_planned(item, f"{kind_path}.{name}", arguments[name]) for name in arguments)

    def _field_is_as_planned(self, item: Props, kind_path: str, argument: Argument) -> bool:
        value = item.get(argument.name)
        if isinstance(value, list):
            return UNKNOWN not in value and (kind_path not in self.kind.sets or value == sorted(value))
        # Terraform plans an empty text for a text that is not set.
        optional = kind_path in self.kind.computed or kind_path in self.kind.defaults
        return value is not None or optional or not isinstance(argument.shape, Scalar)
