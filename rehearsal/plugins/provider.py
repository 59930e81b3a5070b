"""A provider as the engine sees it, on plain values: check, diff, create, read, update, delete, invoke."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .checks import check_failures
from .client import Client
from .coercion import coerce_inputs, equivalent, with_defaults
from .differences import Difference, differences
from .kinds import EVERYTHING, Kind
from .refresh import DEFAULTS, refreshed_inputs, with_defaults_keys
from .schema import Package, ResourceType
from .values import UNKNOWN, PropertyMap, Props, contains_unknown

Function = Callable[[Client, Props], Props]


class RefusedError(Exception):
    """The plugin refuses; the message is for the user."""


@dataclass(frozen=True)
class Live:
    """A live resource, as a refresh or an import returns it."""

    id: str
    properties: PropertyMap
    inputs: PropertyMap


@dataclass(frozen=True, kw_only=True)
class Provider:
    """One provider: its SDK, the resource types and functions that it simulates, and how it reaches its vendor.

    Attributes:
        connect: returns the client for the configuration that the engine passed. A provider without a vendor, such as
            tls, never calls it.
    """

    package: Package
    kinds: Mapping[str, Kind]
    functions: Mapping[str, Function]
    connect: Callable[[], Client]

    def unknown_type(self, token: str) -> str | None:
        """Why this type cannot be served, or None."""
        if self.package.resource(token) is None:
            return f"Resource type '{token}' not found."
        if token not in self.kinds:
            simulated = ", ".join(sorted(known.rpartition(":")[2] for known in self.kinds))
            return f"The rehearsal does not simulate '{token}'. Of {self.package.name} it simulates: {simulated}."
        return None

    def check(self, token: str, name: str, old: Props, new: Props) -> tuple[Props, list[str]]:
        """The inputs that the plugin adds to the program's (a name), and its reasons to refuse."""
        reason = self.unknown_type(token)
        if reason:
            return {}, [reason]
        kind, resource = self._known(token)
        added: Props = {}
        if kind.auto_named and "name" not in new:
            # Seven hexadecimal digits, like Pulumi's own automatic names. It stays for the resource's lifetime.
            added["name"] = old.get("name") or f"{name}-{secrets.token_hex(4)[:7]}"
        if kind.dialect == "sdk2":
            added = {**with_defaults_keys(new, resource), **added, DEFAULTS: sorted(added)}
        return added, check_failures(kind, resource, new, name)

    def diff(self, token: str, state: Props, new: Props, ignored: Sequence[str]) -> tuple[list[Difference], bool]:
        """The changes of an update, and whether a replacement deletes the old resource first."""
        kind, resource = self._known(token)
        changes = differences(kind, resource, state, new, ignored)
        named_by_program = kind.auto_named and "name" not in new.get(DEFAULTS, [])
        delete_first = kind.dialect == "sdk2" and named_by_program
        return changes, delete_first and any(change.replaces for change in changes)

    def shows_paths(self, token: str) -> bool:
        """Whether a diff contains paths of properties, or only the names of top-level ones."""
        return self._known(token)[0].dialect == "sdk2"

    def create(self, token: str, inputs: PropertyMap, *, preview: bool) -> tuple[str, PropertyMap]:
        """Creates a resource. A preview returns the values that are known before the creation."""
        kind, resource = self._known(token)
        arguments = with_defaults(coerce_inputs(inputs.values, resource), kind)
        secret = inputs.secret | kind.secrets
        if preview:
            chosen = {name for name in kind.computed if name in resource.arguments and name not in arguments}
            return "", PropertyMap({**arguments, **dict.fromkeys(resource.outputs | chosen, UNKNOWN)}, secret)
        if kind.create is None:
            raise _only_checked(token)
        created = kind.create(self.connect(), arguments)
        return created.id, PropertyMap(_stored(kind, {**arguments, **created.properties}), secret)

    def read(self, token: str, id_: str, properties: PropertyMap, inputs: PropertyMap) -> Live | None:
        """Reads a resource. Returns None if it does not exist."""
        kind, resource = self._known(token)
        secret = properties.secret | inputs.secret | kind.secrets
        if kind.read is None:
            if kind.create is None:
                raise _only_checked(token)
            if not properties.values:
                raise RefusedError(
                    f"{token} {id_!r} cannot be imported: it exists only in the state of the stack that created it."
                )
            return Live(id_, PropertyMap(properties.values, secret), PropertyMap(inputs.values, inputs.secret))
        live = kind.read(self.connect(), id_, {**properties.values, **inputs.values})
        if live is None:
            return None
        written = {name: value for name, value in properties.values.items() if name in kind.write_only}
        values = {**live.properties, **written}
        refreshing = bool(properties.values)
        read = refreshed_inputs(kind, inputs.values, values) if refreshing else _imported(kind, resource, values)
        return Live(live.id, PropertyMap(values, secret), PropertyMap(read, secret & read.keys()))

    def update(self, token: str, id_: str, old: PropertyMap, inputs: PropertyMap, *, preview: bool) -> PropertyMap:
        """Changes a resource in place."""
        kind, resource = self._known(token)
        arguments = with_defaults(coerce_inputs(inputs.values, resource), kind)
        # Values that the API chose are preserved if the program does not set them.
        preserved = {
            name: value for name, value in old.values.items() if name not in resource.arguments or name in kind.computed
        }
        updated = {**preserved, **arguments}
        if preview and kind.recomputed != EVERYTHING:
            updated |= dict.fromkeys(kind.recomputed - inputs.values.keys(), UNKNOWN)
        if not preview:
            updated |= kind.update(self.connect(), id_, old.values, arguments)
        return PropertyMap(_stored(kind, updated), inputs.secret | kind.secrets)

    def delete(self, token: str, id_: str, old: Props) -> None:
        """Deletes a resource."""
        kind, _ = self._known(token)
        kind.delete(self.connect(), id_, old)

    def invoke(self, token: str, arguments: Props) -> Props:
        """Calls a function of the provider."""
        function = self.functions.get(token)
        if function is None:
            raise RefusedError(f"The rehearsal does not simulate the function '{token}'.")
        return function(self.connect(), arguments)

    def _known(self, token: str) -> tuple[Kind, ResourceType]:
        reason = self.unknown_type(token)
        resource = self.package.resource(token)
        if reason or resource is None:
            raise RefusedError(reason or token)
        return self.kinds[token], resource


def _only_checked(token: str) -> RefusedError:
    return RefusedError(f"The rehearsal checks and compares '{token}', but does not simulate its requests.")


def _stored(kind: Kind, values: Props) -> Props:
    hashed = {
        name: store(values[name])
        for name, store in kind.stored_as.items()
        if values.get(name) and not contains_unknown(values[name])
    }
    return {name: value for name, value in {**values, **hashed}.items() if value is not None}


def _imported(kind: Kind, resource: ResourceType, live: Props) -> Props:
    """The inputs of an import: what the API returns and is not a default."""
    inputs: Props = {
        name: live[name]
        for name, argument in resource.arguments.items()
        if live.get(name) is not None
        and name not in kind.write_only
        and (argument.required or not equivalent(live[name], kind.defaults.get(name), name, kind))
    }
    if kind.dialect == "sdk2":
        inputs = {**with_defaults_keys(inputs, resource), DEFAULTS: []}
    return inputs
