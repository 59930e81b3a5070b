"""Which field managers own a field of an object, from `metadata.managedFields`.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from ops.kubernetes import Object

FieldSet = Mapping[str, Any]
"""A nested map: `f:` fields of a map, `k:` and `v:` elements of a list. An empty one owns the whole value."""
APPLY = "Apply"


@dataclass(frozen=True, kw_only=True)
class Owner:
    """One entry of `managedFields`."""

    manager: str
    operation: str
    api_version: str = ""
    subresource: str = ""


@dataclass(frozen=True, kw_only=True)
class Fields:
    """The field sets of all owners at one path of an object.

    Attributes:
        manager: the field manager of the program for this object.
        applied: whether the program owns any field of the object. Otherwise owners do not tell defaults from other
            values.
        sets: field sets by owner, and the length of the path that each one contains.
        depth: the length of the path.
    """

    manager: str
    applied: bool
    sets: Mapping[Owner, tuple[FieldSet, int]]
    depth: int = 0

    @classmethod
    def of(cls, live: Object, manager: str) -> Self:
        """The field sets of a whole object."""
        sets = {
            Owner(
                manager=entry.get("manager", ""),
                operation=entry.get("operation", ""),
                api_version=entry.get("apiVersion", ""),
                subresource=entry.get("subresource", ""),
            ): (entry.get("fieldsV1", {}), 0)
            for entry in live["metadata"].get("managedFields") or []
        }
        return cls(manager=manager, applied=any(map(_applied_by(manager), sets)), sets=sets)

    def of_field(self, key: str) -> Self:
        """The field sets of a field of a map."""
        return self._descend(lambda fields: fields.get(f"f:{key}"))

    def of_element(self, value: object, index: int) -> Self:
        """The field sets of an element of a list."""
        return self._descend(lambda fields: _element(fields, value, index))

    @property
    def owners(self) -> Sequence[Owner]:
        """The owners of the value, or of the smallest atomic value that contains it. Nobody owns a default."""
        longest = max((length for _, length in self.sets.values()), default=0)
        return [owner for owner, (_, length) in self.sets.items() if length == longest > 0]

    @property
    def is_applied(self) -> bool:
        """Whether only the program owns the value."""
        return bool(self.owners) and all(map(_applied_by(self.manager), self.owners))

    @property
    def by_element(self) -> bool:
        """Whether the elements of this list have owners of their own. Otherwise the list has, as a whole."""
        return any(key.startswith(("k:", "v:")) for fields, _ in self.sets.values() for key in fields)

    def _descend(self, child: Callable[[FieldSet], FieldSet | None]) -> Self:
        sets: dict[Owner, tuple[FieldSet, int]] = {}
        for owner, (fields, length) in self.sets.items():
            below = child(fields)
            if below is not None:
                sets[owner] = (below, self.depth + 1)
            elif not fields and length:
                # An atomic value. Its owner owns everything in it.
                sets[owner] = (fields, length)
        return replace(self, sets=sets, depth=self.depth + 1)


def _applied_by(manager: str) -> Callable[[Owner], bool]:
    """The provider applies objects. It never updates or patches them."""
    return lambda owner: (owner.manager, owner.operation) == (manager, APPLY)


def applied_entry(manager: str, declared: Object) -> Mapping[str, object]:
    """The entry of `managedFields` with which a manager owns what it declares. It owns each list as a whole."""
    content = {key: value for key, value in declared.items() if key not in {"apiVersion", "kind", "metadata"}}
    metadata = {key: value for key, value in declared["metadata"].items() if key not in {"name", "namespace"}}
    return {
        "manager": manager,
        "operation": APPLY,
        "apiVersion": declared["apiVersion"],
        "fieldsType": "FieldsV1",
        "fieldsV1": _fields({**content, "metadata": metadata}),
    }


def _fields(value: object) -> FieldSet:
    return {f"f:{key}": _fields(item) for key, item in value.items()} if isinstance(value, Mapping) else {}


def without(fields: FieldSet, value: object, pointer: Sequence[str | int]) -> FieldSet:
    """The field set of an object or value, without what it contains at this pointer."""
    key, *rest = pointer
    name = f"f:{key}" if isinstance(key, str) else _element_key(fields, _child(value, key), key)
    if name is None or name not in fields:
        return fields
    below = without(_field_set(fields[name]), _child(value, key), rest) if rest and fields[name] else {}
    # Without anything below it, the field set would own the whole value.
    return {**fields, name: below} if below else {other: item for other, item in fields.items() if other != name}


def _child(value: object, key: str | int) -> object:
    if isinstance(value, Mapping):
        return value.get(key)
    return value[key] if isinstance(value, list) and isinstance(key, int) and key < len(value) else None


def _element(fields: FieldSet, value: object, index: int) -> FieldSet | None:
    """The field set of an element of a list."""
    key = _element_key(fields, value, index)
    return None if key is None else _field_set(fields[key])


def _element_key(fields: FieldSet, value: object, index: int) -> str | None:
    """The key of an element in a field set: the one that contains its keys, its value or its index."""
    for key in fields:
        kind, _, text = key.partition(":")
        if kind == "i" and text == str(index):
            return key
        if kind in {"k", "v"}:
            identity = json.loads(text)
            matches = (
                isinstance(value, Mapping) and all(value.get(name) == item for name, item in identity.items())
                if kind == "k"
                else value == identity
            )
            if matches:
                return key
    return None


def _field_set(value: Any) -> FieldSet:  # noqa: ANN401  # JSON
    return value if isinstance(value, Mapping) else {}
