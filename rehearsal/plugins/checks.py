"""The checks of the real plugins before they contact an API, with the same messages.

There are two dialects. Terraform's SDKv2 (most of hcloud) refuses unknown keys and converts scalars. Terraform's plugin
framework (cloudflare, tls, random, some of hcloud) ignores unknown keys and is strict about booleans and enumerations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from .coercion import TypeMismatchError, coerce_scalar
from .kinds import Kind
from .schema import Argument, ListOf, MapOf, ObjectOf, Package, ResourceType, Scalar, Shape
from .values import UNKNOWN, Props, Value

_INTERNAL_PREFIX: Final = "__"
"""The prefix of keys that Pulumi adds for itself (`__defaults`)."""

_TYPE_NAMES: Final = {"bool": "a Boolean", "int": "a Number", "float": "a Number", "str": "a String"}


def check_failures(kind: Kind, resource: ResourceType, values: Props, name: str) -> list[str]:
    """The messages for all invalid inputs of the resource that is named `name`."""
    dialect = _Sdk2(kind, resource, name) if kind.dialect == "sdk2" else _Framework(kind, resource, name)
    failures = list(dialect.failures(values))
    # kind.check() requires that each value has the right type.
    return failures or list(kind.check(values))


class _Checker:
    def __init__(self, kind: Kind, resource: ResourceType, name: str) -> None:
        self.kind = kind
        self.package: Package = resource.package
        self.arguments = resource.arguments
        self.name = name

    def failures(self, values: Props) -> Iterator[str]:
        raise NotImplementedError

    def message(self, reason: str, path: str) -> str:
        return f"{reason}. Examine values at '{self.name}.{path}'."


class _Sdk2(_Checker):
    # The same place has several paths: `path` with indices, `kind_path` without them as in the fields of Kind,
    # `terraform_path` with Terraform's names, and `reported_path`, which the plugin shows for a place inside a set.

    def failures(self, values: Props) -> Iterator[str]:
        yield from self._fields(values, self.arguments, path="", terraform_path="", kind_path="", reported_path="")

    def _fields(
        self,
        values: Props,
        arguments: Mapping[str, Argument],
        *,
        path: str,
        terraform_path: str,
        kind_path: str,
        reported_path: str,
    ) -> Iterator[str]:
        for key in values:
            if key not in arguments and not key.startswith(_INTERNAL_PREFIX):
                yield self.message("Invalid or unknown key", f"{path}{key}")
        for key, argument in arguments.items():
            value = values.get(key)
            if value is not None:
                yield from self._value(
                    value,
                    argument.shape,
                    path=f"{path}{key}",
                    terraform_path=f"{terraform_path}{argument.block}",
                    kind_path=f"{kind_path}{key}",
                    reported_path=reported_path or key,
                )
            elif argument.required and f"{kind_path}{key}" not in self.kind.optional:
                reason = f'The argument "{terraform_path}{argument.block}" is required, but no definition was found.'
                yield self.message(f"Missing required argument. {reason}", reported_path or key)

    def _value(
        self, value: Value, shape: Shape, *, path: str, terraform_path: str, kind_path: str, reported_path: str
    ) -> Iterator[str]:
        if value is UNKNOWN:
            return
        if isinstance(shape, ListOf):
            # SDKv2 accepts a single value instead of a list with one item.
            for index, item in enumerate(value if isinstance(value, list) else [value]):
                # Items of a set have no index: Terraform reports the set.
                inner = reported_path if kind_path in self.kind.sets else f"{reported_path}[{index}]"
                yield from self._value(
                    item,
                    shape.item,
                    path=f"{path}[{index}]",
                    terraform_path=f"{terraform_path}.{index}",
                    kind_path=kind_path,
                    reported_path=inner,
                )
        elif isinstance(shape, ObjectOf) and isinstance(value, dict):
            fields = self.package.nested(shape.cls)
            yield from self._fields(
                value,
                fields,
                path=f"{path}.",
                terraform_path=f"{terraform_path}.",
                kind_path=f"{kind_path}.",
                reported_path=reported_path,
            )
        elif isinstance(shape, MapOf) and isinstance(value, dict):
            yield from self._run_validator(value, kind_path, reported_path)
        elif isinstance(shape, MapOf | ObjectOf):
            yield self.message(f"Expected an object, got {_type_name(value)}", path)
        elif isinstance(shape, Scalar):
            try:
                yield from self._run_validator(coerce_scalar(value, shape), kind_path, reported_path)
            except TypeMismatchError as error:
                yield self.message(str(error), reported_path)

    def _run_validator(self, value: Value, kind_path: str, reported_path: str) -> Iterator[str]:
        validator = self.kind.validators.get(kind_path)
        reason = validator(value) if validator else None
        if reason:
            yield self.message(reason, reported_path)


class _Framework(_Checker):
    def failures(self, values: Props) -> Iterator[str]:
        encoding_failures = list(self._encoding_failures(values, self.arguments))
        if encoding_failures:
            # The plugin stops at the first one.
            yield encoding_failures[0]
            return
        yield from self._missing(values, self.arguments, path="", kind_path="")
        yield from self._invalid(values, self.arguments, path="", terraform_path="", kind_path="")

    def _encoding_failures(self, values: Props, arguments: Mapping[str, Argument]) -> Iterator[str]:
        for key, argument in arguments.items():
            failure = self._encoding_failure(values.get(key), argument.shape)
            if failure:
                yield (
                    "cannot encode resource inputs to call ValidateResourceConfig: "
                    f'objectEncoder failed on property "{key}": {failure}'
                )

    def _encoding_failure(self, value: Value, shape: Shape) -> str | None:  # noqa: PLR0911 - one per type
        if value is UNKNOWN or value is None:
            return None
        if isinstance(shape, Scalar):
            return self._scalar_failure(value, shape)
        if isinstance(shape, ListOf):
            if not isinstance(value, list):
                return "Expected an Array PropertyValue"
            return next(filter(None, (self._encoding_failure(item, shape.item) for item in value)), None)
        if isinstance(shape, MapOf | ObjectOf) and not isinstance(value, dict):
            return "Expected an Object PropertyValue"
        if isinstance(shape, MapOf):
            return next(filter(None, (self._encoding_failure(item, shape.item) for item in value.values())), None)
        if isinstance(shape, ObjectOf):
            for key, argument in self.package.nested(shape.cls).items():
                failure = self._encoding_failure(value.get(key), argument.shape)
                if failure:
                    return f'objectEncoder failed on property "{key}": {failure}'
        return None

    @staticmethod
    def _scalar_failure(value: Value, shape: Scalar) -> str | None:
        expected = f"Expected {_TYPE_NAMES[shape.name]}"
        if shape.name == "bool":
            return None if isinstance(value, bool) else expected
        if isinstance(value, list | dict) or (isinstance(value, bool) and shape.name != "str"):
            return expected
        try:
            # The framework converts between numbers and strings, as SDKv2 does.
            coerce_scalar(value, shape)
        except TypeMismatchError:
            return expected
        return None

    def _missing(self, values: Props, arguments: Mapping[str, Argument], *, path: str, kind_path: str) -> Iterator[str]:
        for key, argument in arguments.items():
            value = values.get(key)
            if value is None:
                if argument.required and f"{kind_path}{key}" not in self.kind.optional:
                    yield f"Missing required property '{path}{key}': {argument.description}"
                continue
            for block_path, block, fields in self._blocks(value, argument.shape, f"{path}{key}"):
                yield from self._missing(block, fields, path=f"{block_path}.", kind_path=f"{kind_path}{key}.")

    def _invalid(
        self, values: Props, arguments: Mapping[str, Argument], *, path: str, terraform_path: str, kind_path: str
    ) -> Iterator[str]:
        for key, argument in arguments.items():
            value = values.get(key)
            if value is None or value is UNKNOWN:
                continue
            attribute = f"{terraform_path}{argument.snake}"
            choices = self.kind.choices.get(f"{kind_path}{key}", argument.choices)
            for item in value if isinstance(value, list) else [value]:
                # One choice alone is incomplete: the SDK's generator has dropped the others of the documentation.
                if len(choices) > 1 and item is not UNKNOWN and not _is_choice(item, choices):
                    yield self.message(
                        f"Invalid Attribute Value Match. Attribute {attribute} value must be one of: "
                        f"[{' '.join(_go_format(choice) for choice in choices)}], got: {_go_value(item, choices)}",
                        f"{path}{key}",
                    )
            validator = self.kind.validators.get(f"{kind_path}{key}")
            reason = validator(value) if validator else None
            if reason:
                yield self.message(reason, f"{path}{key}")
            for block_path, block, fields in self._blocks(value, argument.shape, f"{path}{key}"):
                inner = block_path.replace(f"{path}{key}", attribute, 1)
                yield from self._invalid(
                    block, fields, path=f"{block_path}.", terraform_path=f"{inner}.", kind_path=f"{kind_path}{key}."
                )

    def _blocks(self, value: Value, shape: Shape, path: str) -> Iterator[tuple[str, Props, Mapping[str, Argument]]]:
        if isinstance(shape, ObjectOf) and isinstance(value, dict):
            yield path, value, self.package.nested(shape.cls)
        elif isinstance(shape, ListOf) and isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._blocks(item, shape.item, f"{path}[{index}]")
        elif isinstance(shape, MapOf) and isinstance(value, dict):
            for key, item in value.items():
                yield from self._blocks(item, shape.item, f'{path}["{key}"]')


def _is_choice(value: Value, choices: tuple[str | float, ...]) -> bool:
    if isinstance(choices[0], str):
        return str(value).lower() in {str(choice).lower() for choice in choices}
    try:
        return float(value) in choices
    except (TypeError, ValueError):
        return False


def _go_format(value: str | float) -> str:
    return f'"{value}"' if isinstance(value, str) else f'"{value:f}"'


def _go_value(value: Value, choices: tuple[str | float, ...]) -> str:
    return f'"{value}"' if isinstance(choices[0], str) else f"{float(value):f}"


def _type_name(value: Value) -> str:
    return {bool: "bool", int: "number", float: "number", str: "string", list: "list", dict: "map"}.get(
        type(value), "value"
    )
