"""Reads the inputs and outputs of resource types from the source of the installed SDK.

The SDK is not imported: importing pulumi_cloudflare takes 1.6 s in every provider process, and parsing the source of
one class takes milliseconds. All classes are generated and have the same form.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

ScalarName: TypeAlias = Literal["str", "int", "float", "bool"]


@dataclass(frozen=True)
class Scalar:
    """A string, a number or a boolean."""

    name: ScalarName


@dataclass(frozen=True)
class ListOf:
    """A list or a set. The SDK does not distinguish them."""

    item: Shape


@dataclass(frozen=True)
class MapOf:
    """A map with string keys."""

    item: Shape


@dataclass(frozen=True)
class ObjectOf:
    """A nested input type."""

    cls: str


@dataclass(frozen=True)
class Anything:
    """A value of any type."""


Shape: TypeAlias = Scalar | ListOf | MapOf | ObjectOf | Anything


@dataclass(frozen=True)
class Argument:
    """An input of a resource or of a nested type."""

    name: str
    """The name in camel case."""
    shape: Shape
    required: bool
    description: str = ""
    choices: tuple[str | float, ...] = ()
    """The allowed values that the documentation lists."""

    @property
    def snake(self) -> str:
        """The name in snake case, which is Terraform's."""
        return _snake(self.name)

    @property
    def block(self) -> str:
        """The name in the provider's SDKv2 schema, where a repeated block has the singular."""
        repeated = isinstance(self.shape, ListOf) and isinstance(self.shape.item, ObjectOf)
        return self.snake.removesuffix("s") if repeated else self.snake


@dataclass(frozen=True)
class ResourceType:
    """A resource type of the SDK."""

    token: str
    package: Package
    arguments: Mapping[str, Argument]
    outputs: frozenset[str] = field(default=frozenset())


class Package:
    """An installed SDK, for example pulumi_hcloud."""

    def __init__(self, name: str) -> None:
        spec = importlib.util.find_spec(f"pulumi_{name}")
        if spec is None or spec.origin is None:
            raise LookupError(f"pulumi_{name} is not installed")
        self.name = name
        self._folder = Path(spec.origin).parent
        self._nested: dict[str, Mapping[str, Argument]] = {}

    @property
    def version(self) -> str:
        """The version of the SDK, which is also the version of the plugin that the program requests."""
        # Pulumi's tools read the same file. Importing importlib.metadata takes longer than importing this module.
        return str(json.loads((self._folder / "pulumi-plugin.json").read_text(encoding="utf-8"))["version"])

    @functools.cache  # noqa: B019 - the package exists as long as its process
    def resource(self, token: str) -> ResourceType | None:
        """The type with this token, or None if the SDK does not define it."""
        match = re.fullmatch(rf"{re.escape(self.name)}:index/(\w+):(\w+)", token)
        path = self._folder / f"{_snake(match.group(1))}.py" if match else None
        if match is None or path is None or not path.exists():
            return None
        source = path.read_text(encoding="utf-8")
        if f"'{token}'" not in source:
            return None
        # The class is named InitArgs when a nested type already has the name Args.
        cls = f"{match.group(2)}InitArgs" if f"class {match.group(2)}InitArgs" in source else f"{match.group(2)}Args"
        arguments = _arguments(_class_source(source, cls))
        getters = _getters(_class_source(source, match.group(2)))
        return ResourceType(token, self, arguments, frozenset(getters) - frozenset(arguments))

    def nested(self, cls: str) -> Mapping[str, Argument]:
        """The inputs of a nested type, by the name of its class."""
        if cls not in self._nested:
            self._nested[cls] = _arguments(_class_source(self._inputs, cls))
        return self._nested[cls]

    @functools.cached_property
    def _inputs(self) -> str:
        return (self._folder / "_inputs.py").read_text(encoding="utf-8")


def _snake(camel: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match.group(1), camel).lower()


def _class_source(source: str, cls: str) -> str:
    start = re.search(rf"^class {cls}\b[(:]", source, re.MULTILINE)
    if start is None:
        raise LookupError(f"the SDK does not define the class {cls}")
    end = re.compile(r"^(?:@pulumi\.|class )", re.MULTILINE).search(source, start.end())
    return source[start.start() : end.start() if end else len(source)]


_GETTER = re.compile(
    r'@pulumi\.getter(?:\(name="(\w+)"\))?\n(?:    @[^\n]*\n(?:        [^\n]*\n)*)*    def (\w+)\(self\)'
)


def _getters(source: str) -> dict[str, str]:
    return {wire or attribute: attribute for wire, attribute in _GETTER.findall(source)}


def _arguments(source: str) -> Mapping[str, Argument]:
    wire_names = {attribute: wire for wire, attribute in _getters(source).items()}
    init = next(
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef) and node.name == "__init__"
    )
    descriptions = _descriptions(ast.get_docstring(init) or "")
    arguments: dict[str, Argument] = {}
    for arg, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
        wire = wire_names.get(arg.arg, arg.arg)
        description, choices = descriptions.get(arg.arg, ("", ()))
        arguments[wire] = Argument(wire, _shape(arg.annotation), default is None, description, choices)
    return arguments


def _descriptions(docstring: str) -> dict[str, tuple[str, tuple[str | float, ...]]]:
    descriptions: dict[str, tuple[str, tuple[str | float, ...]]] = {}
    for match in re.finditer(
        r"^:param (?P<type>.*?) ?(?P<name>\w+): (?P<text>.*(?:\n[ \t]+.*|\n(?!:param))*)", docstring, re.MULTILINE
    ):
        text = " ".join(line.strip() for line in match["text"].splitlines()).strip()
        values = re.search(r"Available values: (.*?)\.(?:\s|$)", text + " ")
        descriptions[match["name"]] = (text, _choices(values.group(1)) if values else ())
    return descriptions


def _choices(values: str) -> tuple[str | float, ...]:
    # Markdown rendering of the documentation has replaced pairs of underscores with asterisks.
    quoted = tuple(value.replace("*", "_") for value in re.findall(r'"([^"]*)"', values))
    return quoted or tuple(float(number) for number in re.findall(r"\d+(?:\.\d+)?", values))


_SCALARS: Final = {"str": Scalar("str"), "int": Scalar("int"), "float": Scalar("float"), "bool": Scalar("bool")}


def _shape(node: ast.expr | None) -> Shape:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return ObjectOf(node.value)
    if isinstance(node, ast.Attribute) and node.attr in _SCALARS:
        return _SCALARS[node.attr]
    if isinstance(node, ast.Subscript):
        outer = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
        if outer in ("Input", "Optional"):
            return _shape(node.slice)
        if outer == "Sequence":
            return ListOf(_shape(node.slice))
        if outer == "Mapping" and isinstance(node.slice, ast.Tuple):
            return MapOf(_shape(node.slice.elts[1]))
    return Anything()
