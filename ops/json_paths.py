"""Paths into JSON values: the nested maps of resource inputs, and the engine's own property paths."""

from collections.abc import Mapping

from pydantic import JsonValue


def dig(value: JsonValue | Mapping[str, JsonValue], *keys: str) -> JsonValue:
    """Return the value below nested keys, or None where a key is missing."""
    current: object = value
    for key in keys:
        current = current.get(key) if isinstance(current, Mapping) else None
    return current  # type: ignore[return-value]  # a value inside JSON is JSON


def top_level_key(path: str) -> str:
    """Return the top-level property of an engine's property path: "publicNets" of "publicNets[0].ipv4"."""
    return path.partition("[")[0].partition(".")[0]
