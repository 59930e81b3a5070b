"""What the real plugins refuse before anything is contacted, in their own words.

Two dialects: Terraform's SDKv2 (hcloud, mostly) refuses unknown keys and reads scalars liberally; its plugin framework
(cloudflare, tls, random, some of hcloud) ignores unknown keys and insists on booleans and enumerations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from .kinds import Kind
from .schema import Argument, ListOf, MapOf, ObjectOf, Package, ResourceType, Scalar, Shape
from .shapes import MistypedError, scalar
from .values import UNKNOWN, Props, Value

_PULUMIS_OWN: Final = "__"
"""Keys that begin so (`__defaults`) are notes of Pulumi to itself."""

_WORDS: Final = {"bool": "a Boolean", "int": "a Number", "float": "a Number", "str": "a String"}


def refusals(kind: Kind, resource: ResourceType, values: Props, name: str) -> list[str]:
    """Every reason to refuse these inputs of the resource called `name`."""
    dialect = _Sdk2(kind, resource, name) if kind.dialect == "sdk2" else _Framework(kind, resource, name)
    found = list(dialect.refusals(values))
    # The combined checks may count on each value being of its type.
    return found or list(kind.check(values))


class _Checker:
    def __init__(self, kind: Kind, resource: ResourceType, name: str) -> None:
        self.kind = kind
        self.package: Package = resource.package
        self.arguments = resource.arguments
        self.name = name

    def refusals(self, values: Props) -> Iterator[str]:
        raise NotImplementedError

    def at(self, reason: str, path: str) -> str:
        return f"{reason}. Examine values at '{self.name}.{path}'."


class _Sdk2(_Checker):
    def refusals(self, values: Props) -> Iterator[str]:
        yield from self._fields(values, self.arguments, path="", terraform="", plain="", shown="")

    def _fields(
        self, values: Props, arguments: Mapping[str, Argument], *, path: str, terraform: str, plain: str, shown: str
    ) -> Iterator[str]:
        for key in values:
            if key not in arguments and not key.startswith(_PULUMIS_OWN):
                yield self.at("Invalid or unknown key", f"{path}{key}")
        for key, argument in arguments.items():
            value = values.get(key)
            if value is not None:
                yield from self._value(
                    value,
                    argument.shape,
                    path=f"{path}{key}",
                    terraform=f"{terraform}{argument.block}",
                    plain=f"{plain}{key}",
                    shown=shown or key,
                )
            elif argument.required and f"{plain}{key}" not in self.kind.optional:
                reason = f'The argument "{terraform}{argument.block}" is required, but no definition was found.'
                yield self.at(f"Missing required argument. {reason}", shown or key)

    def _value(self, value: Value, shape: Shape, *, path: str, terraform: str, plain: str, shown: str) -> Iterator[str]:
        if value is UNKNOWN:
            return
        if isinstance(shape, ListOf):
            # A single value where a list belongs is a list of one.
            for index, part in enumerate(value if isinstance(value, list) else [value]):
                # Inside a set Terraform cannot point at an element, only at the whole.
                inner = shown if plain in self.kind.sets else f"{shown}[{index}]"
                yield from self._value(
                    part,
                    shape.item,
                    path=f"{path}[{index}]",
                    terraform=f"{terraform}.{index}",
                    plain=plain,
                    shown=inner,
                )
        elif isinstance(shape, ObjectOf) and isinstance(value, dict):
            fields = self.package.nested(shape.cls)
            yield from self._fields(
                value, fields, path=f"{path}.", terraform=f"{terraform}.", plain=f"{plain}.", shown=shown
            )
        elif isinstance(shape, MapOf) and isinstance(value, dict):
            yield from self._validated(value, plain, shown)
        elif isinstance(shape, MapOf | ObjectOf):
            yield self.at(f"Expected an object, got {_type_name(value)}", path)
        elif isinstance(shape, Scalar):
            try:
                yield from self._validated(scalar(value, shape), plain, shown)
            except MistypedError as wrong:
                yield self.at(str(wrong), shown)

    def _validated(self, value: Value, plain: str, shown: str) -> Iterator[str]:
        judge = self.kind.valid.get(plain)
        reason = judge(value) if judge else None
        if reason:
            yield self.at(reason, shown)


class _Framework(_Checker):
    def refusals(self, values: Props) -> Iterator[str]:
        unencodable = list(self._unencodable(values, self.arguments))
        if unencodable:
            # The plugin cannot even ask about the rest.
            yield unencodable[0]
            return
        yield from self._missing(values, self.arguments, path="", plain="")
        yield from self._invalid(values, self.arguments, path="", terraform="", plain="")

    def _unencodable(self, values: Props, arguments: Mapping[str, Argument]) -> Iterator[str]:
        for key, argument in arguments.items():
            problem = self._encoding_problem(values.get(key), argument.shape)
            if problem:
                yield f'cannot encode resource inputs to call ValidateResourceConfig: objectEncoder failed on property "{key}": {problem}'

    def _encoding_problem(self, value: Value, shape: Shape) -> str | None:  # noqa: PLR0911 - one per shape
        if value is UNKNOWN or value is None:
            return None
        if isinstance(shape, Scalar):
            return self._scalar_problem(value, shape)
        if isinstance(shape, ListOf):
            if not isinstance(value, list):
                return "Expected an Array PropertyValue"
            return next(filter(None, (self._encoding_problem(part, shape.item) for part in value)), None)
        if isinstance(shape, MapOf | ObjectOf) and not isinstance(value, dict):
            return "Expected an Object PropertyValue"
        if isinstance(shape, MapOf):
            return next(filter(None, (self._encoding_problem(part, shape.item) for part in value.values())), None)
        if isinstance(shape, ObjectOf):
            for key, argument in self.package.nested(shape.cls).items():
                problem = self._encoding_problem(value.get(key), argument.shape)
                if problem:
                    return f'objectEncoder failed on property "{key}": {problem}'
        return None

    @staticmethod
    def _scalar_problem(value: Value, shape: Scalar) -> str | None:
        expected = f"Expected {_WORDS[shape.name]}"
        if shape.name == "bool":
            return None if isinstance(value, bool) else expected
        if isinstance(value, list | dict) or (isinstance(value, bool) and shape.name != "str"):
            return expected
        try:
            # Numbers and strings stand for each other, as they did before the framework.
            scalar(value, shape)
        except MistypedError:
            return expected
        return None

    def _missing(self, values: Props, arguments: Mapping[str, Argument], *, path: str, plain: str) -> Iterator[str]:
        for key, argument in arguments.items():
            value = values.get(key)
            if value is None:
                if argument.required and f"{plain}{key}" not in self.kind.optional:
                    yield f"Missing required property '{path}{key}': {argument.description}"
                continue
            for where, part, fields in self._blocks(value, argument.shape, f"{path}{key}"):
                yield from self._missing(part, fields, path=f"{where}.", plain=f"{plain}{key}.")

    def _invalid(
        self, values: Props, arguments: Mapping[str, Argument], *, path: str, terraform: str, plain: str
    ) -> Iterator[str]:
        for key, argument in arguments.items():
            value = values.get(key)
            if value is None or value is UNKNOWN:
                continue
            attribute = f"{terraform}{argument.snake}"
            choices = self.kind.choices.get(f"{plain}{key}", argument.choices)
            for part in value if isinstance(value, list) else [value]:
                # A list of one is the documentation's first of several: the generator saw no more of it.
                if len(choices) > 1 and part is not UNKNOWN and not _chosen(part, choices):
                    yield self.at(
                        f"Invalid Attribute Value Match. Attribute {attribute} value must be one of: "
                        f"[{' '.join(_go(choice) for choice in choices)}], got: {_go_got(part, choices)}",
                        f"{path}{key}",
                    )
            judge = self.kind.valid.get(f"{plain}{key}")
            reason = judge(value) if judge else None
            if reason:
                yield self.at(reason, f"{path}{key}")
            for where, block, fields in self._blocks(value, argument.shape, f"{path}{key}"):
                inner = where.replace(f"{path}{key}", attribute, 1)
                yield from self._invalid(block, fields, path=f"{where}.", terraform=f"{inner}.", plain=f"{plain}{key}.")

    def _blocks(self, value: Value, shape: Shape, path: str) -> Iterator[tuple[str, Props, Mapping[str, Argument]]]:
        if isinstance(shape, ObjectOf) and isinstance(value, dict):
            yield path, value, self.package.nested(shape.cls)
        elif isinstance(shape, ListOf) and isinstance(value, list):
            for index, part in enumerate(value):
                yield from self._blocks(part, shape.item, f"{path}[{index}]")
        elif isinstance(shape, MapOf) and isinstance(value, dict):
            for key, part in value.items():
                yield from self._blocks(part, shape.item, f'{path}["{key}"]')


def _chosen(value: Value, choices: tuple[str | float, ...]) -> bool:
    if isinstance(choices[0], str):
        return str(value).lower() in {str(choice).lower() for choice in choices}
    try:
        return float(value) in choices
    except (TypeError, ValueError):
        return False


def _go(value: str | float) -> str:
    return f'"{value}"' if isinstance(value, str) else f'"{value:f}"'


def _go_got(value: Value, choices: tuple[str | float, ...]) -> str:
    return f'"{value}"' if isinstance(choices[0], str) else f"{float(value):f}"


def _type_name(value: Value) -> str:
    return {bool: "bool", int: "number", float: "number", str: "string", list: "list", dict: "map"}.get(
        type(value), "value"
    )
