"""What the installed SDK says a resource takes and gives.

Read from the SDK's source files rather than by importing them: the classes are generated, all of one shape, and importing
pulumi_cloudflare costs 1.6 s in every provider process while reading the one class in question costs milliseconds.
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
    """A list, or a set: the SDK does not tell them apart."""

    item: Shape


@dataclass(frozen=True)
class MapOf:
    """A map from strings."""

    item: Shape


@dataclass(frozen=True)
class ObjectOf:
    """A nested input type, by the name of its class."""

    cls: str


@dataclass(frozen=True)
class Anything:
    """A value of no fixed type."""


Shape: TypeAlias = Scalar | ListOf | MapOf | ObjectOf | Anything


@dataclass(frozen=True)
class Argument:
    """One input: its wire name, its type, what the documentation says of it."""

    name: str
    shape: Shape
    required: bool
    description: str = ""
    choices: tuple[str | float, ...] = ()

    @property
    def snake(self) -> str:
        """The name in snake case, as Terraform writes it."""
        return _snake(self.name)

    @property
    def block(self) -> str:
        """The name of the vendor's SDKv2 schema, where a repeated block is singular."""
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
    """One installed SDK, such as pulumi_hcloud."""

    def __init__(self, name: str) -> None:
        spec = importlib.util.find_spec(f"pulumi_{name}")
        if spec is None or spec.origin is None:
            raise LookupError(f"pulumi_{name} is not installed")
        self.name = name
        self._folder = Path(spec.origin).parent
        self._nested: dict[str, Mapping[str, Argument]] = {}

    @property
    def version(self) -> str:
        """The SDK's version, which is the plugin version that the program asks for."""
        # From the file that Pulumi's tools read: importlib.metadata takes longer to import than the rest of this module.
        return str(json.loads((self._folder / "pulumi-plugin.json").read_text(encoding="utf-8"))["version"])

    @functools.cache  # noqa: B019 - one package lives as long as its process
    def resource(self, token: str) -> ResourceType | None:
        """The type with this token, or None where the SDK has none."""
        hit = re.fullmatch(rf"{re.escape(self.name)}:index/(\w+):(\w+)", token)
        path = self._folder / f"{_snake(hit.group(1))}.py" if hit else None
        if hit is None or path is None or not path.exists():
            return None
        source = path.read_text(encoding="utf-8")
        if f"'{token}'" not in source:
            return None
        # The class is called otherwise where a nested type has the name already.
        cls = f"{hit.group(2)}InitArgs" if f"class {hit.group(2)}InitArgs" in source else f"{hit.group(2)}Args"
        arguments = _arguments(_class_source(source, cls))
        getters = _getters(_class_source(source, hit.group(2)))
        return ResourceType(token, self, arguments, frozenset(getters) - frozenset(arguments))

    def nested(self, cls: str) -> Mapping[str, Argument]:
        """The fields of a nested input type."""
        if cls not in self._nested:
            self._nested[cls] = _arguments(_class_source(self._inputs, cls))
        return self._nested[cls]

    @functools.cached_property
    def _inputs(self) -> str:
        return (self._folder / "_inputs.py").read_text(encoding="utf-8")


def _snake(camel: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda hit: "_" + hit.group(1), camel).lower()


def _class_source(source: str, cls: str) -> str:
    start = re.search(rf"^class {cls}\b[(:]", source, re.MULTILINE)
    if start is None:
        raise LookupError(f"the SDK has no class {cls}")
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
    documented = _descriptions(ast.get_docstring(init) or "")
    arguments: dict[str, Argument] = {}
    for arg, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
        wire = wire_names.get(arg.arg, arg.arg)
        description, choices = documented.get(arg.arg, ("", ()))
        arguments[wire] = Argument(wire, _shape(arg.annotation), default is None, description, choices)
    return arguments


def _descriptions(docstring: str) -> dict[str, tuple[str, tuple[str | float, ...]]]:
    found: dict[str, tuple[str, tuple[str | float, ...]]] = {}
    for hit in re.finditer(
        r"^:param (?P<type>.*?) ?(?P<name>\w+): (?P<text>.*(?:\n[ \t]+.*|\n(?!:param))*)", docstring, re.MULTILINE
    ):
        words = " ".join(line.strip() for line in hit["text"].splitlines()).strip()
        listed = re.search(r"Available values: (.*?)\.(?:\s|$)", words + " ")
        found[hit["name"]] = (words, _choices(listed.group(1)) if listed else ())
    return found


def _choices(listed: str) -> tuple[str | float, ...]:
    # The documentation's markdown turned each pair of underscores into asterisks.
    quoted = tuple(word.replace("*", "_") for word in re.findall(r'"([^"]*)"', listed))
    return quoted or tuple(float(number) for number in re.findall(r"\d+(?:\.\d+)?", listed))


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
