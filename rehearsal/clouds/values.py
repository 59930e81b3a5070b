"""Property values as they travel: protobuf structs with secrets and unknowns, to plain Python and back.

The sentinels are Pulumi's own wire format (pulumi/sdk/go/common/resource/plugin/rpc.go).
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

# Shorter fragments ("on", "1") are words of any message: blotting them out would hide nothing and spoil it.
_SHORTEST_SECRET: Final = 4

# The engine marks an unknown by the type it will have; to a provider they are all the same.
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
    """A value that only exists once something else has been created."""

    def __repr__(self) -> str:
        return "<unknown>"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Bag:
    """Decoded properties, and the names of those that hold a secret anywhere inside."""

    values: Props
    secret: frozenset[str] = frozenset()


def decode(struct: struct_pb2.Struct) -> Bag:
    """Properties without their secret wrappers; nulls are left out, as an unset property is."""
    secret: set[str] = set()
    values: Props = {}
    for name, raw in struct.fields.items():

        def found(name: str = name) -> None:
            secret.add(name)

        value = _decode(raw, found)
        if value is not None:
            values[name] = value
    return Bag(values, frozenset(secret))


def encode(values: Mapping[str, Value], secret: Iterable[str] = ()) -> struct_pb2.Struct:
    """The wire form of `values`, with the named properties marked secret."""
    hidden = frozenset(secret)
    struct = struct_pb2.Struct()
    for name, value in values.items():
        if value is None:
            continue
        encoded = _encode(value)
        struct.fields[name].CopyFrom(_as_secret(encoded) if name in hidden else encoded)
    return struct


def text(value: str) -> struct_pb2.Value:
    """A plain string in wire form."""
    return struct_pb2.Value(string_value=value)


def holds_unknown(value: Value) -> bool:
    """Whether `value` is unknown, or has an unknown part."""
    if isinstance(value, dict):
        return any(holds_unknown(part) for part in value.values())
    if isinstance(value, list):
        return any(holds_unknown(part) for part in value)
    return value is UNKNOWN


def strings_in(value: Value) -> Iterator[str]:
    """Every string inside `value`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from strings_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings_in(part)


def masked(message: str, bag: Bag) -> str:
    """`message` with every secret of `bag` blotted out: errors end up on screens and in logs."""
    hidden = {part for name in bag.secret for part in strings_in(bag.values.get(name))}
    for part in sorted(hidden, key=len, reverse=True):
        if len(part) >= _SHORTEST_SECRET:
            message = message.replace(part, "[secret]")
    return message


def _decode(value: struct_pb2.Value, on_secret: Callable[[], None]) -> Value:  # noqa: PLR0911 - one per kind of value
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        fields = value.struct_value.fields
        if sentinels.SIGNATURE_KEY in fields:
            if fields[sentinels.SIGNATURE_KEY].string_value == sentinels.SECRET_SIGNATURE:
                on_secret()
            # An asset, an archive or a resource reference has no "value"; none of our types takes one.
            return _decode(fields["value"], on_secret) if "value" in fields else None
        return {name: _decode(part, on_secret) for name, part in fields.items()}
    if kind == "list_value":
        return [_decode(part, on_secret) for part in value.list_value.values]
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
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[_encode(part) for part in value]))
    if isinstance(value, Mapping):
        return struct_pb2.Value(
            struct_value=struct_pb2.Struct(fields={name: _encode(part) for name, part in value.items()})
        )
    raise TypeError(f"{type(value).__name__} has no wire form")


def _as_secret(value: struct_pb2.Value) -> struct_pb2.Value:
    fields = {sentinels.SIGNATURE_KEY: struct_pb2.Value(string_value=sentinels.SECRET_SIGNATURE), "value": value}
    return struct_pb2.Value(struct_value=struct_pb2.Struct(fields=fields))
