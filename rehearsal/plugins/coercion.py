"""Converts values to the types of the schema as Terraform does, adds defaults, and compares values for equivalence."""

from __future__ import annotations

import json
from collections.abc import Mapping

from .kinds import Kind
from .schema import Argument, ListOf, MapOf, ObjectOf, Package, ResourceType, Scalar, Shape
from .values import UNKNOWN, Props, Value, contains_unknown

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class TypeMismatchError(Exception):
    """A value cannot be converted to the type of its input. The message is that of Go, which the plugin shows."""


def coerce_scalar(value: Value, shape: Scalar) -> Value:
    """Converts a value to a scalar type: "12" to 12, 443 to "443"."""
    if value is UNKNOWN:
        return value
    if isinstance(value, list | dict):
        raise TypeMismatchError(f"expected a {shape.name}, got a {'list' if isinstance(value, list) else 'map'}")
    if shape.name == "bool":
        return _boolean(value)
    if shape.name == "str":
        return str(value).lower() if isinstance(value, bool) else str(value)
    return _number(value, shape)


def _boolean(value: Value) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value)
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise TypeMismatchError(f"cannot parse '' as bool: strconv.ParseBool: parsing {json.dumps(text)}: invalid syntax")


def _number(value: Value, shape: Scalar) -> Value:
    try:
        number = float(value)
    except ValueError:
        parser = "ParseInt" if shape.name == "int" else "ParseFloat"
        raise TypeMismatchError(
            f"cannot parse '' as {shape.name}: strconv.{parser}: parsing {json.dumps(str(value))}: invalid syntax"
        ) from None
    if number.is_integer():
        return int(number)
    if shape.name == "int":
        raise TypeMismatchError(f"cannot parse '' as int: {value} is not a whole number")
    return number


def coerce(value: Value, shape: Shape, package: Package) -> Value:
    """Converts a value to a type of the schema. Keys that an object type does not have are left out."""
    if value is UNKNOWN or value is None:
        return value
    if isinstance(shape, Scalar):
        return coerce_scalar(value, shape)
    if isinstance(shape, ListOf):
        items = value if isinstance(value, list) else [value]
        return [coerce(item, shape.item, package) for item in items]
    if isinstance(shape, MapOf) and isinstance(value, dict):
        return {name: coerce(item, shape.item, package) for name, item in value.items()}
    if isinstance(shape, ObjectOf) and isinstance(value, dict):
        return _coerce_fields(value, package.nested(shape.cls), package)
    if isinstance(shape, MapOf | ObjectOf):
        raise TypeMismatchError(f"expected a map, got a {type(value).__name__}")
    return value


def _coerce_fields(values: Props, arguments: Mapping[str, Argument], package: Package) -> Props:
    fields = {name: coerce(values.get(name), argument.shape, package) for name, argument in arguments.items()}
    return {name: value for name, value in fields.items() if value is not None}


def coerce_inputs(values: Props, resource: ResourceType) -> Props:
    """Converts the inputs of a resource to their types."""
    return _coerce_fields(values, resource.arguments, resource.package)


def with_defaults(values: Props, kind: Kind) -> Props:
    """Adds the default values of missing inputs."""
    return {**{name: value for name, value in kind.defaults.items() if "." not in name}, **values}


def canonical(value: Value, path: str, kind: Kind) -> Value:
    """Converts equivalent values to the same value: sorts sets, adds the defaults of objects, normalizes addresses."""
    if value is UNKNOWN:
        return value
    if path in kind.canonical and not isinstance(value, list):
        return kind.canonical[path](value)
    if isinstance(value, list):
        items = [canonical(item, path, kind) for item in value]
        return sorted(items, key=_sort_key) if path in kind.sets else items
    if isinstance(value, dict):
        fields = {**_object_defaults(path, kind), **value}
        return {
            name: canonical(item, f"{path}.{name}", kind)
            for name, item in fields.items()
            if item not in (None, []) and (item != "" or kind.dialect != "sdk2")
        }
    return value


def equivalent(left: Value, right: Value, path: str, kind: Kind) -> bool:
    """Whether the provider treats two values as equal. Unset equals empty. An unknown value equals no other."""
    if contains_unknown(left) or contains_unknown(right):
        return False
    return (not left and not right) or bool(canonical(left, path, kind) == canonical(right, path, kind))


def without_computed(old: Value, new: Value, path: str, kind: Kind) -> Value:
    """Removes the nested values from `old` that the cloud has chosen and that `new` does not set."""
    if not isinstance(old, list) or not isinstance(new, list):
        return old
    computed = {name.removeprefix(f"{path}.") for name in kind.computed if name.startswith(f"{path}.")}
    unset = {name for name in computed if not any(isinstance(item, dict) and name in item for item in new)}
    return [
        {name: value for name, value in item.items() if name not in unset} if isinstance(item, dict) else item
        for item in old
    ]


def _object_defaults(path: str, kind: Kind) -> Props:
    return {
        name.removeprefix(f"{path}."): value for name, value in kind.defaults.items() if name.startswith(f"{path}.")
    }


def _sort_key(value: Value) -> str:
    return json.dumps(value, sort_keys=True, default=repr)
