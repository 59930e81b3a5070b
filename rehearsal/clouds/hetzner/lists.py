"""Lists: pages, order and filters, and labels with their selectors.

Sources: https://docs.hetzner.cloud/reference/cloud#pagination, #sorting, #labels and #label-selector.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from flask import request

from ..store import Object
from ..vendor import Answer
from .errors import invalid_input

_Selects: TypeAlias = Callable[[Mapping[str, str]], bool]

# The pattern of Kubernetes labels.
_KEY: Final = re.compile(
    r"([a-z0-9A-Z]([-_.a-z0-9A-Z]{0,253}[a-z0-9A-Z])?/)?[a-z0-9A-Z]([-_.a-z0-9A-Z]{0,61}[a-z0-9A-Z])?"
)
_VALUE: Final = re.compile(r"(([a-z0-9A-Z][-_.a-z0-9A-Z]{0,61})?[a-z0-9A-Z])?")
_IN: Final = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s+\((?P<values>[^()]*)\)")
_EQUALITY: Final = re.compile(r"(?P<key>\S+?)\s*(?P<operator>==|=|!=)\s*(?P<values>\S*)")
# A comma between parentheses separates values and not requirements.
_COMMA: Final = re.compile(r",(?![^()]*\))")


def page(name: str, objects: Iterable[Object], shown: Callable[[Object], Object], *filters: str) -> Answer:
    """The page of the query: objects that match its filters, in the order of `sort`.

    `name` is the key of the list in the answer; `filters` are the fields that the query may name besides `name`.
    """
    selects = _selector(request.args.get("label_selector", ""))
    conditions = {field: request.args.getlist(field) for field in ("name", *filters) if field in request.args}
    selected = _sorted(
        [
            item
            for item in objects
            if all(str(item[field]) in values for field, values in conditions.items())
            and selects(item.get("labels", {}))
        ]
    )
    number, size = _number("page", 1), min(_number("per_page", 25), 50)
    last = max(1, -(-len(selected) // size))
    pagination = {
        "page": number,
        "per_page": size,
        "previous_page": number - 1 if number > 1 else None,
        "next_page": number + 1 if number < last else None,
        "last_page": last,
        "total_entries": len(selected),
    }
    shown_objects = [shown(item) for item in selected[(number - 1) * size : number * size]]
    return {name: shown_objects, "meta": {"pagination": pagination}}, 200


def valid_labels(labels: Any) -> dict[str, str]:  # noqa: ANN401  # JSON
    """The labels of a request; refuses those that are not correctly formatted."""
    if not isinstance(labels, dict):
        raise invalid_input("labels", "must be an object")
    for key, value in labels.items():
        if not _KEY.fullmatch(key):
            raise invalid_input("labels", f"label key '{key}' is not correctly formatted")
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise invalid_input("labels", f"label value '{value}' (key: {key}) is not correctly formatted")
    return labels


def _selector(text: str) -> _Selects:
    requirements = [_requirement(part.strip()) for part in _COMMA.split(text) if part.strip()]
    return lambda labels: all(requirement(labels) for requirement in requirements)


def _requirement(text: str) -> _Selects:
    hit = _IN.fullmatch(text) or _EQUALITY.fullmatch(text)
    key = hit["key"] if hit else text.removeprefix("!")
    values = {value.strip() for value in hit["values"].split(",")} if hit else set()
    if not _KEY.fullmatch(key):
        raise invalid_input("label_selector", f"label key '{key}' is not correctly formatted")
    if invalid := next((value for value in values if not _VALUE.fullmatch(value)), None):
        raise invalid_input("label_selector", f"label value '{invalid}' is not correctly formatted")
    if hit is None:
        return lambda labels: (key in labels) != text.startswith("!")
    return lambda labels: (labels.get(key) in values) == (hit["operator"] in ("in", "=", "=="))


def _number(name: str, default: int) -> int:
    text = request.args.get(name, str(default))
    if not text.isdigit() or int(text) < 1:
        raise invalid_input(name, "must be a positive integer")
    return int(text)


def _sorted(objects: list[Object]) -> list[Object]:
    # The last key is applied first, because Python's sort keeps the order of equal objects.
    for key in reversed(request.args.getlist("sort")):
        field, _, direction = key.partition(":")
        if direction not in ("", "asc", "desc") or any(field not in item for item in objects):
            raise invalid_input("sort", f"'{key}' is not a valid sort key")
        objects = sorted(objects, key=lambda item: item[field], reverse=direction == "desc")
    return objects
