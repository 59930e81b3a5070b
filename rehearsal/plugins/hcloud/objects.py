"""What the objects of a project have in common: how they are read, changed and deleted, and their labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..client import Client
from ..kinds import Created, Delete, Read
from ..values import UNKNOWN, Props, Value

# The pattern of Kubernetes labels.
_KEY: Final = re.compile(
    r"([a-z0-9A-Z]([-_.a-z0-9A-Z]{0,253}[a-z0-9A-Z])?/)?[a-z0-9A-Z]([-_.a-z0-9A-Z]{0,61}[a-z0-9A-Z])?"
)
_VALUE: Final = re.compile(r"(([a-z0-9A-Z][-_.a-z0-9A-Z]{0,61})?[a-z0-9A-Z])?")


def reader(collection: str, singular: str, properties: Callable[[Props], Props]) -> Read:
    """Gets an object by its id."""

    def read(client: Client, id_: str, _: Props) -> Created | None:
        response = client.find(f"{collection}/{id_}")
        return None if response is None else Created(id_, properties(response[singular]))

    return read


def deleter(collection: str, *, missing_ok: bool = True) -> Delete:
    """Deletes an object by its id. Some resources of the real plugin fail if it does not exist."""

    def delete(client: Client, id_: str, _: Props) -> None:
        client.delete(f"{collection}/{id_}", missing_ok=missing_ok)

    return delete


def changes(old: Props, new: Props, fields: Mapping[str, str]) -> dict[str, Any]:
    """The fields of the API whose properties differ; no labels are the same as an empty map."""
    values = {name: [props.get(name, {} if name == "labels" else None) for props in (old, new)] for name in fields}
    return {fields[name]: after for name, (before, after) in values.items() if before != after}


def present(inputs: Props, fields: Mapping[str, str]) -> dict[str, Any]:
    """The fields of the API whose properties are set."""
    return {field: inputs[name] for name, field in fields.items() if inputs.get(name)}


def invalid_labels(labels: Value) -> str | None:
    """Why the plugin refuses these labels, or None (hcloud-go, hcloud/labels.go)."""
    for key, value in labels.items():
        if not _KEY.fullmatch(key):
            return f"label key '{key}' is not correctly formatted"
        if value is UNKNOWN:
            continue
        # The real plugin crashes on a value that is not a string; this one refuses it.
        if not isinstance(value, str):
            return f"label value {value!r} (key: {key}) must be a string"
        if not _VALUE.fullmatch(value):
            return f"label value '{value}' (key: {key}) is not correctly formatted"
    return None
