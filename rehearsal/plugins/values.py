"""Converts property values between protobuf structs, with secrets and unknown values, and plain Python values.

The wire format is that of pulumi/sdk/go/common/resource/plugin/rpc.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from google.protobuf import struct_pb2

from ops.engine import sentinels

Value: TypeAlias = Any
"""A JSON value, or `UNKNOWN` anywhere inside it."""

Props: TypeAlias = dict[str, Value]

# Shorter strings ("on", "1") occur in any message: replacing them would make it unreadable and hide nothing.
_SHORTEST_SECRET: Final = 4

# The engine uses one sentinel per type of the unknown value. A provider does not distinguish them.
_UNKNOWNS: Final = frozenset(
    {
        sentinels.UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)


class Unknown:
    """A value that is not known before another resource has been created."""

    def __repr__(self) -> str:
        return "<unknown>"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class PropertyMap:
    """The properties of a resource as Python values."""

    values: Props
    secret: frozenset[str] = frozenset()
    """The names of the properties that are or contain a secret."""


def decode(struct: struct_pb2.Struct) -> PropertyMap:
    """Decodes properties and unwraps secrets. Null values are left out, like unset properties."""
    secret: set[str] = set()
    values: Props = {}
    for name, raw in struct.fields.items():

        def mark_secret(name: str = name) -> None:
            secret.add(name)

        value = _decode(raw, mark_secret)
        if value is not None:
            values[name] = value
    return PropertyMap(values, frozenset(secret))


def encode(values: Mapping[str, Value], secret: Iterable[str] = ()) -> struct_pb2.Struct:
    """Encodes properties, and wraps those that are named in `secret`."""
    secret_names = frozenset(secret)
    struct = struct_pb2.Struct()
    for name, value in values.items():
        if value is None:
            continue
        encoded = _encode(value)
        struct.fields[name].CopyFrom(_as_secret(encoded) if name in secret_names else encoded)
    return struct


def contains_unknown(value: Value) -> bool:
    """Whether `value` is unknown or contains an unknown value."""
    if isinstance(value, dict):
        return any(contains_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(contains_unknown(item) for item in value)
    return value is UNKNOWN


def strings_in(value: Value) -> Iterator[str]:
    """Every string inside `value`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings_in(item)


def masked(message: str, properties: PropertyMap) -> str:
    """Replaces every secret of `properties` in an error message, which is printed and logged."""
    secrets = {text for name in properties.secret for text in strings_in(properties.values.get(name))}
    for text in sorted(secrets, key=len, reverse=True):
        if len(text) >= _SHORTEST_SECRET:
            message = message.replace(text, "[secret]")
    return message


def _decode(value: struct_pb2.Value, on_secret: Callable[[], None]) -> Value:  # noqa: PLR0911 - one per kind of value
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        fields = value.struct_value.fields
        if sentinels.SIGNATURE_KEY in fields:
            if fields[sentinels.SIGNATURE_KEY].string_value == sentinels.SECRET_SIGNATURE:
                on_secret()
            # Assets, archives and resource references have no "value". No simulated type has such an input.
            return _decode(fields["value"], on_secret) if "value" in fields else None
        return {name: _decode(item, on_secret) for name, item in fields.items()}
    if kind == "list_value":
        return [_decode(item, on_secret) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "string_value":
        return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
    if kind == "bool_value":
        return value.bool_value
    return None


def _encode(value: Value) -> struct_pb2.Value:  # noqa: PLR0911 - one per kind of value
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if value is UNKNOWN:
        return struct_pb2.Value(string_value=sentinels.UNKNOWN)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, list | tuple):
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[_encode(item) for item in value]))
    if isinstance(value, Mapping):
        return struct_pb2.Value(
            struct_value=struct_pb2.Struct(fields={name: _encode(item) for name, item in value.items()})
        )
    raise TypeError(f"a {type(value).__name__} cannot be encoded as a property value")


def _as_secret(value: struct_pb2.Value) -> struct_pb2.Value:
    fields = {sentinels.SIGNATURE_KEY: struct_pb2.Value(string_value=sentinels.SECRET_SIGNATURE), "value": value}
    return struct_pb2.Value(struct_value=struct_pb2.Struct(fields=fields))
