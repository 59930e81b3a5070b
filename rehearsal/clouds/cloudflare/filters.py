"""Filters and order of lists, by the parameters of the request's query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from flask import request

from ..store import Json, Object

Condition = Callable[[Json], bool]

_TESTS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "exact": lambda value, text: value == text,
    "contains": lambda value, text: text in value,
    "startswith": lambda value, text: value.startswith(text),
    "endswith": lambda value, text: value.endswith(text),
    "present": lambda value, _: value != "",
    "absent": lambda value, _: value == "",
}


def compare(test: str, text: str) -> Condition:
    """A comparison with a text, which ignores case as the API does."""
    return lambda value: _TESTS[test](str("" if value is None else value).lower(), text.lower())


def parameters(fields: Iterable[str]) -> list[tuple[str, Condition]]:
    """The conditions in the query for these fields: `name`, `name.exact`, `name.contains`, …"""
    conditions = []
    for field in fields:
        names = {field: "exact", **{f"{field}.{test}": test for test in _TESTS}}
        for name, test in names.items():
            if (text := request.args.get(name)) is not None:
                conditions.append((field, compare(test, text)))
    return conditions


def matching(objects: Iterable[Object], conditions: Sequence[tuple[str, Condition]]) -> list[Object]:
    """The objects that meet all conditions, or one of them with `match=any`."""
    combine = any if request.args.get("match") == "any" and conditions else all
    return [item for item in objects if combine(condition(item.get(field)) for field, condition in conditions)]


def ordered(objects: list[Object], fields: Sequence[str]) -> list[Object]:
    """The objects in the order that `order` and `direction` ask for; otherwise oldest first."""
    field = request.args.get("order", "")
    if field not in fields:
        return objects
    return sorted(objects, key=lambda item: str(item[field]), reverse=request.args.get("direction") == "desc")
