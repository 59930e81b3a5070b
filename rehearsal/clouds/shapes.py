"""Values brought into the form that their type has: weak typing as Terraform's, sets in order, defaults filled in."""

from __future__ import annotations

import json
from collections.abc import Mapping

from .kinds import Kind
from .schema import Argument, ListOf, MapOf, ObjectOf, Package, ResourceType, Scalar, Shape
from .values import UNKNOWN, Props, Value, holds_unknown

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class MistypedError(Exception):
    """A value that cannot be of the type it should be; the message is Go's, as the plugin shows it."""


def scalar(value: Value, shape: Scalar) -> Value:
    """A scalar as its type, from whatever says the same: "12" for 12, 443 for "443"."""
    if value is UNKNOWN:
        return value
    if isinstance(value, list | dict):
        raise MistypedError(f"expected a {shape.name}, got a {'list' if isinstance(value, list) else 'map'}")
    if shape.name == "bool":
        return _boolean(value)
    if shape.name == "str":
        return str(value).lower() if isinstance(value, bool) else str(value)
    return _number(value, shape)


def _boolean(value: Value) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value)
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise MistypedError(f"cannot parse '' as bool: strconv.ParseBool: parsing {json.dumps(word)}: invalid syntax")


def _number(value: Value, shape: Scalar) -> Value:
    try:
        number = float(value)
    except ValueError:
        parser = "ParseInt" if shape.name == "int" else "ParseFloat"
        raise MistypedError(
            f"cannot parse '' as {shape.name}: strconv.{parser}: parsing {json.dumps(str(value))}: invalid syntax"
        ) from None
    if number.is_integer():
        return int(number)
    if shape.name == "int":
        raise MistypedError(f"cannot parse '' as int: {value} is not a whole number")
    return number


def shaped(value: Value, shape: Shape, package: Package) -> Value:
    """A value of any depth as its type; keys that the type does not have are left out."""
    if value is UNKNOWN or value is None:
        return value
    if isinstance(shape, Scalar):
        return scalar(value, shape)
    if isinstance(shape, ListOf):
        parts = value if isinstance(value, list) else [value]
        return [shaped(part, shape.item, package) for part in parts]
    if isinstance(shape, MapOf) and isinstance(value, dict):
        return {name: shaped(part, shape.item, package) for name, part in value.items()}
    if isinstance(shape, ObjectOf) and isinstance(value, dict):
        return _shaped_fields(value, package.nested(shape.cls), package)
    if isinstance(shape, MapOf | ObjectOf):
        raise MistypedError(f"expected a map, got a {type(value).__name__}")
    return value


def _shaped_fields(values: Props, arguments: Mapping[str, Argument], package: Package) -> Props:
    found = {name: shaped(values.get(name), argument.shape, package) for name, argument in arguments.items()}
    return {name: value for name, value in found.items() if value is not None}


def shaped_inputs(values: Props, resource: ResourceType) -> Props:
    """The inputs of a resource, each as its type."""
    return _shaped_fields(values, resource.arguments, resource.package)


def completed(values: Props, kind: Kind) -> Props:
    """`values` with the defaults of what they leave out."""
    return {**{name: value for name, value in kind.defaults.items() if "." not in name}, **values}


def canonical(value: Value, path: str, kind: Kind) -> Value:
    """The form in which equal things are equal: an address with its mask, a set in order, a block with its defaults."""
    if value is UNKNOWN:
        return value
    if path in kind.canonical and not isinstance(value, list):
        return kind.canonical[path](value)
    if isinstance(value, list):
        parts = [canonical(part, path, kind) for part in value]
        return sorted(parts, key=_order) if path in kind.sets else parts
    if isinstance(value, dict):
        whole = {**_block_defaults(path, kind), **value}
        return {
            name: canonical(part, f"{path}.{name}", kind)
            for name, part in whole.items()
            if part is not None and part != []
        }
    return value


def same(left: Value, right: Value, path: str, kind: Kind) -> bool:
    """Whether two values mean the same to the provider; an unset one is the same as an empty one, an unknown one as none."""
    if holds_unknown(left) or holds_unknown(right):
        return False
    return (not left and not right) or bool(canonical(left, path, kind) == canonical(right, path, kind))


def without_chosen(old: Value, new: Value, path: str, kind: Kind) -> Value:
    """`old` without the nested values that the cloud chose and `new` leaves to it."""
    if not isinstance(old, list) or not isinstance(new, list):
        return old
    chosen = {name.removeprefix(f"{path}.") for name in kind.computed if name.startswith(f"{path}.")}
    unsaid = {name for name in chosen if not any(isinstance(part, dict) and name in part for part in new)}
    return [
        {name: value for name, value in part.items() if name not in unsaid} if isinstance(part, dict) else part
        for part in old
    ]


def _block_defaults(path: str, kind: Kind) -> Props:
    return {
        name.removeprefix(f"{path}."): value for name, value in kind.defaults.items() if name.startswith(f"{path}.")
    }


def _order(value: Value) -> str:
    return json.dumps(value, sort_keys=True, default=repr)
