"""The description of a simulated resource type: a table of facts, and functions for what a table cannot express."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from .account import Account
from .store import State
from .values import Props, Value

Dialect: TypeAlias = Literal["sdk2", "framework"]
"""The library of the real provider: Terraform's SDKv2 (strict about keys) or plugin framework (strict about types)."""

EVERYTHING: Final = frozenset({"*"})
"""The value of `replaces` for a type that is replaced when any input changes."""


class ApiError(Exception):
    """The vendor's API refuses a request."""


@dataclass(frozen=True)
class Cloud:
    """The state of a cloud and the settings of its account."""

    state: State
    account: Account

    def of(self, token: str) -> dict[str, Props]:
        """The live properties of all resources of a type, by id."""
        return self.state.of(token)


@dataclass(frozen=True)
class Created:
    """The id of a created resource, and the properties that the cloud adds to the inputs."""

    id: str
    computed: Props


def _no_failures(_: Props) -> Iterator[str]:
    yield from ()


def _accept_all(_cloud: Cloud, _id: str | None, _props: Props) -> None:
    return


def _nothing_computed(_cloud: Cloud, _id: str, _props: Props, _old: Props) -> Props:
    return {}


def _do_nothing(_cloud: Cloud, _id: str, _live: Props) -> None:
    return


def _not_implicit(_cloud: Cloud, _id: str, _prior: Props) -> Props | None:
    return None


def _same_id(id_: str, _prior: Props) -> str:
    return id_


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A resource type. Paths of nested properties contain dots and no indices: `rules.sourceIps`."""

    type: str
    """The type token."""
    dialect: Dialect
    create: Callable[[Cloud, Props], Created]

    replaces: frozenset[str] = frozenset()
    """The inputs whose change replaces the resource."""
    sets: frozenset[str] = frozenset()
    """The lists whose order has no meaning."""
    defaults: Mapping[str, Value] = field(default_factory=dict)
    """The default values of inputs."""
    computed: frozenset[str] = frozenset()
    """The inputs that the cloud chooses when the program does not set them. Unsetting one is no change."""
    write_only: frozenset[str] = frozenset()
    """The inputs that the API does not return. An import lacks them, and a refresh keeps them unchanged."""
    secrets: frozenset[str] = frozenset()
    """The outputs that are always secret."""
    optional: frozenset[str] = frozenset()
    """The inputs that are required in the SDK but not in the plugin."""
    choices: Mapping[str, tuple[str | float, ...]] = field(default_factory=dict)
    """The allowed values of inputs for which the SDK's documentation does not list them."""
    canonical: Mapping[str, Callable[[Value], Value]] = field(default_factory=dict)
    """Functions that convert equivalent values of an input to the same value."""
    stored_as: Mapping[str, Callable[[Value], Value]] = field(default_factory=dict)
    """Functions for the inputs that the cloud and the state store in another form, for example as a hash."""
    validators: Mapping[str, Callable[[Value], str | None]] = field(default_factory=dict)
    """The plugin's checks of single inputs. They return an error message or None."""
    check: Callable[[Props], Iterator[str]] = _no_failures
    """The plugin's check of all inputs together. It returns error messages."""
    validate: Callable[[Cloud, str | None, Props], None] = _accept_all
    """The API's check of a create request (without an id) or an update request. Raises ApiError."""
    after_update: Callable[[Cloud, str, Props, Props], Props] = _nothing_computed
    """The properties that the cloud adds after an update, from the new and the previous live properties."""
    before_delete: Callable[[Cloud, str, Props], None] = _do_nothing
    """Checks and side effects of a deletion. Raises ApiError."""
    implicit: Callable[[Cloud, str, Props], Props | None] = _not_implicit
    """The live properties of a resource that exists without having been created, for example a setting of a zone."""
    import_inputs: Callable[[Props], Props] = dict
    """Selects the inputs of an imported resource from the live ones. It leaves out inputs that exclude each other."""
    state_key: Callable[[str, Props], str] = _same_id
    """The key in the cloud's state of the resource with this id. An import id can contain more, as in `zone/record`."""
    resource_id: Callable[[str], str] = lambda key: key
    """The id of the resource with this key."""
    delete_before_replace: bool = False
    """Whether the old and the new resource cannot exist at the same time."""
    auto_named: bool = False
    """Whether names are unique, and the provider generates one when the program does not set it."""
    retained: bool = False
    """Whether deleting the resource leaves it unchanged in the cloud."""
    in_cloud: bool = True
    """Whether the resource exists in the cloud. Otherwise it only exists in Pulumi's state, for example a key."""


def now() -> str:
    """The present time in the format of the APIs."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
