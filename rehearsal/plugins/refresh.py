"""The inputs that a refresh returns, as the bridge of the real plugins derives them from the outputs.

It returns only inputs that the program declares. It cuts lists to the declared length, and pairs their elements by
position, or in a set of objects by the number of equal fields (pulumi-terraform-bridge 3.135, pkg/tfbridge/schema.go,
extractInputs and matchSetElements). The outputs contain everything, and the next Diff compares those.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .kinds import Kind
from .schema import ListOf, ObjectOf, ResourceType, Shape
from .values import Props, Value

DEFAULTS: Final = "__defaults"
"""The key under which the bridge of SDKv2 lists the inputs that it added to an object. A refresh removes it."""


def with_defaults_keys(values: Props, resource: ResourceType) -> Props:
    """The inputs, with an empty list of added inputs in each nested object."""

    def nested(value: Value, shape: Shape) -> Value:
        if isinstance(shape, ListOf) and isinstance(value, list):
            return [nested(item, shape.item) for item in value]
        if isinstance(shape, ObjectOf) and isinstance(value, dict):
            arguments = resource.package.nested(shape.cls)
            fields = {
                name: nested(item, arguments[name].shape) if name in arguments else item for name, item in value.items()
            }
            return {**fields, DEFAULTS: []}
        return value

    return {
        name: nested(value, resource.arguments[name].shape) if name in resource.arguments else value
        for name, value in values.items()
    }


def refreshed_inputs(kind: Kind, prior: Props, outputs: Props) -> Props:
    """The inputs after a refresh that returned these outputs. `prior` are the inputs in the state."""
    inputs = _fields(kind, prior, outputs, "")
    # The bridge removes only empty lists.
    return {**inputs, DEFAULTS: prior[DEFAULTS]} if prior.get(DEFAULTS) else inputs


def _fields(kind: Kind, prior: Props, actual: Props, prefix: str) -> Props:
    return {
        name: _value(kind, value, actual[name], f"{prefix}{name}")
        for name, value in prior.items()
        if name != DEFAULTS and actual.get(name) is not None
    }


def _value(kind: Kind, prior: Value, actual: Value, path: str) -> Value:
    if isinstance(prior, list) and isinstance(actual, list):
        objects = all(isinstance(item, dict) for item in [*prior, *actual])
        pairs = _matched(prior, actual) if path in kind.sets and objects else zip(prior, actual, strict=False)
        return [_value(kind, before, after, path) for before, after in pairs]
    if isinstance(prior, dict) and isinstance(actual, dict):
        return _fields(kind, prior, actual, f"{path}.")
    # A text that the state contains in another form (StateFunc of SDKv2) is not compared.
    return prior if kind.dialect == "sdk2" and path in kind.canonical else actual


def _matched(prior: list[Props], actual: list[Props]) -> Iterator[tuple[Props, Props]]:
    """Pairs of elements in the order of `prior`, those with the most equal fields first."""
    pairs = [(_score(before, after), i, j) for i, before in enumerate(prior) for j, after in enumerate(actual)]
    matches: dict[int, int] = {}
    for _, i, j in sorted(pairs, key=lambda pair: -pair[0]):
        if i not in matches and j not in matches.values():
            matches[i] = j
    for i, j in sorted(matches.items()):
        yield prior[i], actual[j]


def _score(before: Props, after: Props) -> int:
    common = before.keys() & after.keys()
    return len(common) + 2 * len([name for name in common if before[name] == after[name]])
