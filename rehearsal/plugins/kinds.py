"""A resource type as a provider plugin knows it: facts about its properties, and the requests of its operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from .client import Client
from .values import Props, Value

Dialect: TypeAlias = Literal["sdk2", "framework"]
"""The library of the resource in the real provider: Terraform's SDKv2 or plugin framework.

| | SDKv2 | plugin framework |
|---|---|---|
| checks | strict about keys | strict about types |
| a replacement under a name that the program sets | deletes the old resource first | creates the new resource first |
| changes | paths of properties | names of top-level properties, with computed ones |

Source: pulumi-terraform-bridge 3.135, pkg/tfbridge/provider.go (nameRequiresDeleteBeforeReplace) and
pkg/pf/tfbridge/provider_diff.go.
"""

EVERYTHING: Final = frozenset({"*"})
"""In `replaces` and `recomputed`: every input, or every output."""


@dataclass(frozen=True)
class Created:
    """A new resource: its id, and its properties as the API returned them, in Pulumi's names."""

    id: str
    properties: Props


Create: TypeAlias = Callable[[Client, Props], Created]
Read: TypeAlias = Callable[[Client, str, Props], Created | None]
"""Given the id (the import id, such as `zone/record`, for an import) and the properties in the state."""
Update: TypeAlias = Callable[[Client, str, Props, Props], Props]
"""Given the id, the old properties and the new inputs; returns the properties that the API returned afterwards."""
Delete: TypeAlias = Callable[[Client, str, Props], None]
"""Whether a resource that does not exist is an error depends on the provider."""


def _no_failures(_: Props) -> Iterator[str]:
    yield from ()


def _keep(_client: Client, _id: str, _old: Props, new: Props) -> Props:
    return new


def _forget(_client: Client, _id: str, _old: Props) -> None:
    return


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One resource type. Paths name nested properties with dots and no indices: `rules.sourceIps`."""

    type: str
    dialect: Dialect
    create: Create | None = None
    """None for a resource that is only checked and compared: the rehearsal does not simulate its requests."""
    read: Read | None = None
    """None for a resource that exists only in Pulumi's state (a key, a password)."""
    update: Update = _keep
    delete: Delete = _forget
    """By default, deleting the resource sends no request (a setting of a zone keeps its value)."""

    replaces: frozenset[str] = frozenset()
    """Inputs whose change replaces the resource."""
    sets: frozenset[str] = frozenset()
    """Lists whose order has no meaning."""
    defaults: Mapping[str, Value] = field(default_factory=dict)
    """The value of an input that the program does not set."""
    computed: frozenset[str] = frozenset()
    """Inputs that the API chooses when the program does not set them. No longer setting one is no change."""
    recomputed: frozenset[str] = frozenset()
    """Properties that the plugin framework reports with every change, because their next value is unknown: computed
    attributes without `UseStateForUnknown`."""
    write_only: frozenset[str] = frozenset()
    """Inputs that the API never returns: an import does not know them, a refresh keeps the value in the state."""
    secrets: frozenset[str] = frozenset()
    """Outputs that are secret whatever they were computed from."""
    optional: frozenset[str] = frozenset()
    """Inputs that the SDK requires but the plugin does not."""
    choices: Mapping[str, tuple[str | float, ...]] = field(default_factory=dict)
    """Allowed values that the SDK's documentation does not list."""
    canonical: Mapping[str, Callable[[Value], Value]] = field(default_factory=dict)
    """Forms under which two values are equal."""
    stored_as: Mapping[str, Callable[[Value], Value]] = field(default_factory=dict)
    """Functions whose result the state contains instead of an input, such as a hash."""
    validators: Mapping[str, Callable[[Value], str | None]] = field(default_factory=dict)
    """The plugin's own checks of a value: returns a reason to refuse it, or None."""
    check: Callable[[Props], Iterator[str]] = _no_failures
    """The plugin's checks of all inputs together: yields reasons to refuse."""
    auto_named: bool = False
    """Has a name, which the plugin generates from the resource's logical name if the program does not set one."""
