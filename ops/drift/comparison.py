"""Compares a live Kubernetes object with its declaration: fields and list elements that the program does not declare.

A refresh does not find them. The provider reads only the fields that the program set, and cuts a list to its declared
length.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from ops.drift.expected import is_expected
from ops.drift.managed_fields import Fields
from ops.drift.rows import differences, joined, overlap, without_indices
from ops.plain_text import MASK

Pointer = tuple[str | int, ...]
"""The keys and indices of a value in the live object."""
METADATA = ("annotations", "finalizers", "labels", "ownerReferences")
"""Metadata that somebody can change. The API server sets the rest."""
SYSTEM_FIELDS = {"apiVersion", "kind", "metadata", "status"}
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
KEYS = ("name", "host", "mountPath", "containerPort", "ip", "key", "topologyKey")
"""Keys that identify an element of a list of maps."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One difference.

    Attributes:
        path: as in the report, "spec.rules[api.example.com].http".
        declared: the declared value, or None if the program declares none.
        actual: the actual value, or None if there is none.
        undeclared: the values that must be removed, because an apply keeps them.
        managers: the field managers that set the actual value.
    """

    path: str
    declared: JsonValue = None
    actual: JsonValue = None
    undeclared: Sequence[Pointer] = ()
    managers: Collection[str] = ()


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A place in an object: its owners, its values in the state, its path in the report and its pointer."""

    kind: str
    fields: Fields
    applied: JsonValue
    stored: JsonValue
    path: str = ""
    pointer: Pointer = ()

    def field(self, key: str) -> "_Place":
        return replace(
            self,
            fields=self.fields.of_field(key),
            applied=_child(self.applied, key),
            stored=_child(self.stored, key),
            path=joined(self.path, key),
            pointer=(*self.pointer, key),
        )

    def element(self, index: int, value: JsonValue, name: str) -> "_Place":
        return replace(
            self,
            fields=self.fields.of_element(value, index),
            applied=_child(self.applied, index),
            stored=_child(self.stored, index),
            path=f"{self.path}[{name}]",
            pointer=(*self.pointer, index),
        )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Compares one object.

    Attributes:
        kind: for example "Deployment".
        declared: the declared object. A value that is MASK equals every value.
        live: the live object, with masked secrets.
        fields: the owners of the live object's fields.
        applied: the declaration in the state, which the last update or the import wrote. An update removes what only
            this one declares.
        stored: the object in the state. It tells the defaults of an object whose owners were removed.
        changed: paths of declared properties that the provider reports as changed. It decides which of two values are
            notations of the same.
    """

    kind: str
    declared: Mapping[str, JsonValue]
    live: Mapping[str, JsonValue]
    fields: Fields
    applied: Mapping[str, JsonValue]
    stored: Mapping[str, JsonValue]
    changed: Collection[str] = ()

    def differences(self) -> Iterator[Difference]:
        top = _Place(kind=self.kind, fields=self.fields, applied=dict(self.applied), stored=dict(self.stored))
        for key in sorted(self.live.keys() - SYSTEM_FIELDS):
            yield from self._values(top.field(key), self.declared.get(key), self.live[key])
        declared, live = _mapping(self.declared.get("metadata")), _mapping(self.live.get("metadata"))
        for key in METADATA:
            yield from self._values(top.field("metadata").field(key), declared.get(key), live.get(key))

    def _values(self, place: _Place, declared: JsonValue, live: JsonValue) -> Iterator[Difference]:
        if declared in (live, MASK) or (live is None and not declared):
            return
        if live is None:
            if self._is_changed(place):
                yield Difference(path=place.path, declared=declared)
        elif declared is None:
            yield from self._undeclared(place, live)
        elif isinstance(declared, dict) and isinstance(live, dict):
            for key in sorted({*declared, *live}):
                yield from self._values(place.field(key), declared.get(key), live.get(key))
        elif isinstance(declared, list) and isinstance(live, list):
            yield from self._lists(place, declared, live)
        elif self._is_changed(place):
            for row in differences("", place.path, declared, live):
                yield Difference(path=row.property, declared=row.declared, actual=row.actual)

    def _undeclared(self, place: _Place, live: JsonValue) -> Iterator[Difference]:
        leaves = list(_leaves(place, live))
        manual = [_is_manual(leaf, value) for leaf, value in leaves]
        if not any(manual):
            return
        if isinstance(live, dict) and not all(manual):
            for key in sorted(live):
                yield from self._undeclared(place.field(key), live[key])
        else:
            managers = _managers(leaf for leaf, _ in leaves)
            yield Difference(path=place.path, actual=live, undeclared=[place.pointer], managers=managers)

    def _lists(self, place: _Place, declared: list[JsonValue], live: list[JsonValue]) -> Iterator[Difference]:
        match = _match(declared, live)
        for index, other in match.pairs:
            element = place.element(other, live[other], match.name(live[other], other))
            yield from self._values(element, declared[index], live[other])
        leaves = {
            index: list(_leaves(place.element(index, live[index], str(index)), live[index])) for index in match.added
        }
        added = [index for index in match.added if any(_is_manual(*leaf) for leaf in leaves[index])]
        missing = match.missing if added or self._is_changed(place) else []
        removed = _removed(place, declared, live, added)

        def difference(path: str, missing: JsonValue, added: JsonValue, indices: Sequence[int]) -> Difference:
            return Difference(
                path=path,
                declared=missing,
                actual=added,
                undeclared=[(*place.pointer, index) for index in indices if index in removed],
                managers=_managers(leaf for index in indices for leaf, _ in leaves[index]),
            )

        if match.key:
            for index in missing:
                yield difference(f"{place.path}[{match.name(declared[index], index)}]", declared[index], None, [])
            for index in added:
                yield difference(f"{place.path}[{match.name(live[index], index)}]", None, live[index], [index])
        elif missing or added:
            # Elements without names are shown together.
            yield difference(
                place.path,
                [declared[index] for index in missing] or None,
                [live[index] for index in added] or None,
                added,
            )

    def _is_changed(self, place: _Place) -> bool:
        path = without_indices(place.path)
        return any(overlap(path, without_indices(changed)) for changed in self.changed)


def _leaves(place: _Place, value: JsonValue) -> Iterator[tuple[_Place, JsonValue]]:
    """The values that contain no other. An empty list is the same as none."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(place.field(key), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(place.element(index, item, str(index)), item)
    elif value is not None:
        yield place, value


def _is_manual(place: _Place, value: JsonValue) -> bool:
    """Whether somebody set an undeclared value: not the API server as a default, no controller, and no import."""
    imported = place.applied == value or (value == MASK and place.applied is not None)
    if place.fields.is_applied and (imported or place.pointer[-1] == LAST_APPLIED):
        # The adoption transferred it to the program. The next update removes it, because it owns it.
        return False
    unowned = not place.fields.owners and (place.fields.applied or place.stored == value)
    return not unowned and not is_expected(place.kind, place.pointer, value)


@dataclass(frozen=True, kw_only=True)
class _Match:
    """Which elements of two lists correspond, by index."""

    key: str
    pairs: Sequence[tuple[int, int]]
    missing: Sequence[int]
    added: Sequence[int]

    def name(self, element: JsonValue, index: int) -> str:
        return str(element[self.key]) if self.key and isinstance(element, dict) else str(index)


def _match(declared: Sequence[JsonValue], live: Sequence[JsonValue]) -> _Match:
    """Match elements by their key. Without one: those that are equal, then those that have most in common."""
    key = next((key for key in KEYS if _identifies(key, declared) and _identifies(key, live)), "")
    pairs: list[tuple[int, int]] = []
    missing, added = list(range(len(declared))), list(range(len(live)))

    def pair(index: int, other: int) -> None:
        pairs.append((index, other))
        missing.remove(index)
        added.remove(other)

    if key:
        by_key = {_mapping(element)[key]: index for index, element in enumerate(live)}
        for index, element in enumerate(declared):
            if (name := _mapping(element)[key]) in by_key:
                pair(index, by_key[name])
        return _Match(key=key, pairs=pairs, missing=missing, added=added)
    for index in tuple(missing):
        if containing := [other for other in added if _contains(live[other], declared[index])]:
            pair(index, min(containing, key=lambda other: _size(live[other])))
    for index in tuple(missing):
        similar = [other for other in added if _common(declared[index], live[other])]
        if similar:
            pair(index, max(similar, key=lambda other: _common(declared[index], live[other])))
    return _Match(key="", pairs=pairs, missing=missing, added=added)


def _identifies(key: str, elements: Sequence[JsonValue]) -> bool:
    names = [_mapping(element).get(key) for element in elements]
    return all(isinstance(name, str | int) for name in names) and len(set(map(str, names))) == len(names) > 0


def _contains(live: JsonValue, declared: JsonValue) -> bool:
    """Whether a live value has everything that is declared, and its lists have no other elements."""
    if isinstance(live, dict) and isinstance(declared, dict):
        return all(_contains(live.get(key), value) for key, value in declared.items())
    if isinstance(live, list) and isinstance(declared, list):
        return len(live) == len(declared) and all(map(_contains, live, declared))
    return declared in (live, MASK)


def _common(declared: JsonValue, live: JsonValue) -> int:
    """The number of values that two maps have in common."""
    if isinstance(declared, dict) and isinstance(live, dict):
        return sum(_common(declared[key], live[key]) for key in declared.keys() & live.keys())
    if isinstance(declared, list) and isinstance(live, list):
        return sum(max((_common(item, other) for other in live), default=0) for item in declared)
    return int(declared == live)


def _size(value: JsonValue) -> int:
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list) else 1


def _managers(places: Iterable[_Place]) -> Collection[str]:
    return frozenset(owner.manager for place in places for owner in place.fields.owners)


def _removed(
    place: _Place, declared: Sequence[JsonValue], live: Sequence[JsonValue], added: Sequence[int]
) -> Sequence[int]:
    """The added elements that an apply would keep. It replaces an atomic list, unless the provider sees no change."""
    if place.fields.by_element and len(added) < len(live):
        return added
    surplus = len(live) - len(declared)
    return added[-surplus:] if surplus > 0 else []


def _child(value: JsonValue, key: str | int) -> JsonValue:
    if isinstance(value, dict) and isinstance(key, str):
        return value.get(key)
    return value[key] if isinstance(value, list) and isinstance(key, int) and key < len(value) else None


def _mapping(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, dict) else {}
