"""A provider with plain Python values: check, diff, create, read, update, delete and invoke."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .account import read_account
from .checks import check_failures
from .coercion import coerce_inputs, equivalent, with_defaults
from .differences import Difference, differences
from .kinds import ApiError, Cloud, Kind
from .schema import Package, ResourceType
from .store import State, Store
from .values import UNKNOWN, PropertyMap, Props, contains_unknown


class RefusedError(Exception):
    """The provider refuses a request. The message is for the user."""


@dataclass(frozen=True)
class ReadResult:
    """A live resource, as a refresh or an import reads it."""

    id: str
    properties: PropertyMap
    inputs: PropertyMap


@dataclass(frozen=True)
class Provider:
    """A simulated provider."""

    package: Package
    """The SDK that defines the types."""
    kinds: Mapping[str, Kind]
    functions: Mapping[str, Callable[[Cloud, Props], Props]]
    folder: Path | None
    """The folder with the files of the clouds. None for a provider without a cloud."""

    def unsupported(self, token: str) -> str | None:
        """The error message for a type that is not simulated, or None."""
        if self.package.resource(token) is None:
            return f"Resource type '{token}' not found."
        if token not in self.kinds:
            simulated = ", ".join(sorted(known.rpartition(":")[2] for known in self.kinds))
            return f"The rehearsal does not simulate '{token}'. Of {self.package.name} it simulates: {simulated}."
        return None

    def check(self, token: str, name: str, old: Props, new: Props) -> tuple[Props, list[str]]:
        """The inputs that the provider adds to those of the program (a name), and the check failures."""
        message = self.unsupported(token)
        if message:
            return {}, [message]
        kind, resource = self._lookup(token)
        added: Props = {}
        if kind.auto_named and "name" not in new:
            # Seven hexadecimal digits, as in Pulumi's auto-naming. The name stays for the lifetime of the resource.
            added["name"] = old.get("name") or f"{name}-{secrets.token_hex(4)[:7]}"
        return added, check_failures(kind, resource, new, name)

    def diff(self, token: str, old: Props, new: Props) -> tuple[list[Difference], bool]:
        """The changed properties, and whether the old resource must be deleted before the new one is created."""
        kind, resource = self._lookup(token)
        changes = differences(kind, resource, old, new)
        # Two resources with the same name cannot exist at the same time.
        same_name = kind.auto_named and old.get("name") == new.get("name")
        return changes, any(change.replaces for change in changes) and (kind.delete_before_replace or same_name)

    def create(self, token: str, inputs: PropertyMap, *, preview: bool) -> tuple[str, PropertyMap]:
        """Creates a resource, and returns its id and properties. A preview returns unknown outputs."""
        kind, resource = self._lookup(token)
        desired = with_defaults(coerce_inputs(inputs.values, resource), kind)
        secret = inputs.secret | kind.secrets
        if preview:
            computed = {name for name in kind.computed if name in resource.arguments and name not in desired}
            return "", PropertyMap({**desired, **dict.fromkeys(resource.outputs | computed, UNKNOWN)}, secret)
        with self._cloud() as cloud:
            kind.validate(cloud, None, desired)
            created = kind.create(cloud, desired)
            properties = self._stored(kind, {**desired, **created.computed})
            if kind.in_cloud:
                cloud.of(token)[kind.state_key(created.id, properties)] = self._api_view(kind, properties)
            return created.id, PropertyMap(properties, secret)

    def read(self, token: str, id_: str, properties: PropertyMap, inputs: PropertyMap) -> ReadResult | None:
        """Reads a resource. Returns None when it does not exist."""
        kind, resource = self._lookup(token)
        prior = {**properties.values, **inputs.values}
        secret = properties.secret | inputs.secret | kind.secrets
        if not kind.in_cloud:
            if not properties.values:
                raise RefusedError(f"{token} {id_!r} cannot be imported: it only exists in the state of its stack.")
            return ReadResult(id_, PropertyMap(properties.values, secret), PropertyMap(inputs.values, inputs.secret))
        with self._cloud() as cloud:
            key = kind.state_key(id_, prior)
            live = cloud.of(token).get(key) or kind.implicit(cloud, key, prior)
            if live is None:
                return None
        write_only = {name: value for name, value in properties.values.items() if name in kind.write_only}
        importing = not inputs.values
        live_inputs = self._live_inputs(kind, resource, {**live, **write_only}, inputs.values, importing=importing)
        return ReadResult(
            kind.resource_id(key),
            PropertyMap({**live, **write_only}, secret),
            PropertyMap(live_inputs, secret & live_inputs.keys()),
        )

    def update(self, token: str, id_: str, old: PropertyMap, inputs: PropertyMap, *, preview: bool) -> PropertyMap:
        """Updates a resource in place, and returns its properties."""
        kind, resource = self._lookup(token)
        desired = with_defaults(coerce_inputs(inputs.values, resource), kind)
        secret = inputs.secret | kind.secrets
        if preview or not kind.in_cloud:
            return PropertyMap(self._updated(kind, resource, old.values, desired), secret)
        with self._cloud() as cloud:
            key = kind.state_key(id_, old.values)
            live = cloud.of(token).get(key) or kind.implicit(cloud, key, old.values)
            if live is None:
                raise RefusedError(
                    f"{token} {id_} does not exist any more. `pulumi up --refresh` detects that and creates it again."
                )
            kind.validate(cloud, key, desired)
            properties = self._updated(kind, resource, live, desired)
            properties.update(kind.after_update(cloud, key, properties, live))
            cloud.of(token)[key] = self._api_view(kind, properties)
            return PropertyMap(properties, secret)

    def delete(self, token: str, id_: str, old: Props) -> None:
        """Deletes a resource, if it exists."""
        kind, _ = self._lookup(token)
        if not kind.in_cloud or kind.retained:
            return
        with self._cloud() as cloud:
            key = kind.state_key(id_, old)
            live = cloud.of(token).get(key)
            if live is None:
                return
            if live.get("deleteProtection") and not old.get("deleteProtection"):
                # The provider only lifts a protection that the program has set.
                raise ApiError(f"{token.rpartition(':')[2]} {id_} is protected against deletion (protected)")
            kind.before_delete(cloud, key, live)
            cloud.of(token).pop(key, None)

    def invoke(self, token: str, arguments: Props) -> Props:
        """Calls a function of the provider."""
        function = self.functions.get(token)
        if function is None:
            raise RefusedError(f"The rehearsal does not simulate the function '{token}'.")
        with self._cloud() as cloud:
            return function(cloud, arguments)

    def _lookup(self, token: str) -> tuple[Kind, ResourceType]:
        message = self.unsupported(token)
        resource = self.package.resource(token)
        if message or resource is None:
            raise RefusedError(message or token)
        return self.kinds[token], resource

    @contextmanager
    def _cloud(self) -> Iterator[Cloud]:
        if self.folder is None:
            yield Cloud(State(), read_account(Path()))
            return
        with Store(self.folder / f"{self.package.name}.json").transaction() as state:
            yield Cloud(state, read_account(self.folder))

    @classmethod
    def _updated(cls, kind: Kind, resource: ResourceType, live: Props, desired: Props) -> Props:
        """The desired properties, with the outputs and the computed inputs of the live resource."""
        retained = {
            name: value for name, value in live.items() if name not in resource.arguments or name in kind.computed
        }
        return {**retained, **cls._stored(kind, desired)}

    @staticmethod
    def _stored(kind: Kind, values: Props) -> Props:
        converted = {
            name: convert(values[name])
            for name, convert in kind.stored_as.items()
            if values.get(name) and not contains_unknown(values[name])
        }
        return {**values, **converted}

    @staticmethod
    def _api_view(kind: Kind, values: Props) -> Props:
        """The properties that the API returns. The state file contains no others, and therefore no secret."""
        return {name: value for name, value in values.items() if value is not None and name not in kind.write_only}

    @staticmethod
    def _live_inputs(kind: Kind, resource: ResourceType, live: Props, prior: Props, *, importing: bool) -> Props:
        """The inputs that result in the live properties. An equivalent value of the program stays unchanged."""
        inputs: Props = {}
        for name, argument in resource.arguments.items():
            live_value, default = live.get(name), kind.defaults.get(name)
            if name in prior:
                unchanged = name in kind.write_only or equivalent(prior[name], live_value, name, kind)
                value = prior[name] if unchanged else live_value
            elif (
                (equivalent(live_value, default, name, kind) and not argument.required)
                or (name in kind.computed and not importing)
                or (name in kind.write_only and importing)
            ):
                value = None
            else:
                # The program does not set the input, and it differs from the default: this is drift.
                value = live_value
            if value is not None:
                inputs[name] = value
        return kind.import_inputs(inputs) if importing else inputs
