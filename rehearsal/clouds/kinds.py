"""A resource type as the simulation knows it: a table of facts, and a few functions where facts do not do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from .account import Account
from .store import State
from .values import Props, Value

Dialect: TypeAlias = Literal["sdk2", "framework"]
"""How the real provider was written: on Terraform's SDKv2 (strict about keys) or on its plugin framework (strict about types)."""

EVERYTHING: Final = frozenset({"*"})
"""In `replaces`: each input does."""


class ApiError(Exception):
    """The vendor's API refuses."""


@dataclass(frozen=True)
class Cloud:
    """What a resource meets: the state of its cloud and the account it is in."""

    state: State
    account: Account

    def of(self, token: str) -> dict[str, Props]:
        """All things of a type, by id."""
        return self.state.of(token)


@dataclass(frozen=True)
class Made:
    """A new thing: its id, and the properties that the cloud adds to those asked for."""

    id: str
    computed: Props


def _no_failures(_: Props) -> Iterator[str]:
    yield from ()


def _admit_all(_cloud: Cloud, _id: str | None, _props: Props) -> None:
    return


def _nothing_computed(_cloud: Cloud, _id: str, _props: Props, _old: Props) -> Props:
    return {}


def _just_delete(_cloud: Cloud, _id: str, _live: Props) -> None:
    return


def _no_default(_cloud: Cloud, _id: str, _prior: Props) -> Props | None:
    return None


def _same_id(id_: str, _prior: Props) -> str:
    return id_


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One resource type. Paths name nested properties with dots and no indices: `rules.sourceIps`."""

    type: str
    dialect: Dialect
    create: Callable[[Cloud, Props], Made]

    replaces: frozenset[str] = frozenset()
    """Inputs whose change means another resource."""
    sets: frozenset[str] = frozenset()
    """Lists whose order means nothing."""
    defaults: Mapping[str, Value] = field(default_factory=dict)
    """What an input is when the program does not say."""
    computed: frozenset[str] = frozenset()
    """Inputs that the cloud chooses when the program does not: no longer saying is no change."""
    untold: frozenset[str] = frozenset()
    """Inputs that the API never tells again: an import does not know them, a refresh keeps what was."""
    secrets: frozenset[str] = frozenset()
    """Outputs that are secret whatever they were made of."""
    optional: frozenset[str] = frozenset()
    """Inputs that the SDK asks for but the plugin does not."""
    choices: Mapping[str, tuple[str | float, ...]] = field(default_factory=dict)
    """Allowed values that the SDK's documentation does not list."""
    canonical: Mapping[str, Callable[[Value], Value]] = field(default_factory=dict)
    """Forms under which two values are the same."""
    stored: Mapping[str, Callable[[Value], Value]] = field(default_factory=dict)
    """What the cloud (and the state) keeps of an input in its place: a hash."""
    valid: Mapping[str, Callable[[Value], str | None]] = field(default_factory=dict)
    """The plugin's own checks of a value: a reason to refuse it."""
    check: Callable[[Props], Iterator[str]] = _no_failures
    """The plugin's checks of all inputs together: reasons to refuse."""
    admit: Callable[[Cloud, str | None, Props], None] = _admit_all
    """The API's checks at creation (without an id) and update: raises ApiError."""
    refresh: Callable[[Cloud, str, Props, Props], Props] = _nothing_computed
    """What the cloud adds after an update, given the new properties and the old live ones."""
    before_delete: Callable[[Cloud, str, Props], None] = _just_delete
    """What must be so, or happens, before the thing goes."""
    given: Callable[[Cloud, str, Props], Props | None] = _no_default
    """Live properties of a thing that exists without having been created (a zone's settings)."""
    imported: Callable[[Props], Props] = dict
    """The inputs that an import gives, of those that are live: where two say the same, a program gives one."""
    key: Callable[[str, Props], str] = _same_id
    """The key in the state of what has this id (an import id may carry more, as `zone/record`)."""
    resource_id: Callable[[str], str] = lambda key: key
    """The id of what has this key."""
    delete_before_replace: bool = False
    """Two cannot exist side by side."""
    named: bool = False
    """Has a unique name, made up from the resource's where the program gives none."""
    survives: bool = False
    """Deleting it leaves it as it is."""
    remembers: bool = True
    """Lives in the cloud; without, everything about it is in Pulumi's own state (a key, a password)."""


def now() -> str:
    """This moment as APIs write it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
