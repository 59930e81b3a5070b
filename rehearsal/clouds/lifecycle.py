"""A provider as the engine sees it, on plain values: check, diff, create, read, update, delete, invoke."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .account import read_account
from .checks import refusals
from .differences import Difference, differences
from .kinds import ApiError, Cloud, Kind
from .schema import Package, ResourceType
from .shapes import completed, same, shaped_inputs
from .store import State, Store
from .values import UNKNOWN, Bag, Props, Value, holds_unknown


class RefusedError(Exception):
    """The provider refuses; the message is for the user."""


@dataclass(frozen=True)
class Found:
    """A live thing, as a refresh or an import sees it."""

    id: str
    properties: Bag
    inputs: Bag


@dataclass(frozen=True)
class Provider:
    """One provider: the SDK whose types it takes, the kinds it simulates, the functions it answers."""

    package: Package
    kinds: Mapping[str, Kind]
    functions: Mapping[str, Callable[[Cloud, Props], Props]]
    folder: Path | None
    """Where the clouds' files are; None for a provider that has no cloud."""

    def unknown_type(self, token: str) -> str | None:
        """Why this type cannot be served, if it cannot."""
        if self.package.resource(token) is None:
            return f"Resource type '{token}' not found."
        if token not in self.kinds:
            simulated = ", ".join(sorted(known.rpartition(":")[2] for known in self.kinds))
            return f"The rehearsal does not simulate '{token}'. Of {self.package.name} it simulates: {simulated}."
        return None

    def check(self, token: str, name: str, old: Props, new: Props) -> tuple[Props, list[str]]:
        """Inputs that the provider adds to the program's (a name), and its reasons to refuse."""
        reason = self.unknown_type(token)
        if reason:
            return {}, [reason]
        kind, resource = self._known(token)
        added: Props = {}
        if kind.named and "name" not in new:
            # Seven hexadecimal digits, as Pulumi's own automatic names; kept for as long as the resource lives.
            added["name"] = old.get("name") or f"{name}-{secrets.token_hex(4)[:7]}"
        return added, refusals(kind, resource, new, name)

    def diff(self, token: str, old: Props, new: Props) -> tuple[list[Difference], bool]:
        """What would change, and whether the old must go before the new comes."""
        kind, resource = self._known(token)
        found = differences(kind, resource, old, new)
        # Two of one name cannot exist at once.
        same_name = kind.named and old.get("name") == new.get("name")
        return found, any(difference.replaces for difference in found) and (kind.delete_before_replace or same_name)

    def create(self, token: str, inputs: Bag, *, preview: bool) -> tuple[str, Bag]:
        """Bring a thing into being; in a preview, say what would be known of it."""
        kind, resource = self._known(token)
        wanted = completed(shaped_inputs(inputs.values, resource), kind)
        hidden = inputs.secret | kind.secrets
        if preview:
            chosen = {name for name in kind.computed if name in resource.arguments and name not in wanted}
            return "", Bag({**wanted, **dict.fromkeys(resource.outputs | chosen, UNKNOWN)}, hidden)
        with self._cloud() as cloud:
            kind.admit(cloud, None, wanted)
            made = kind.create(cloud, wanted)
            kept = self._kept(kind, {**wanted, **made.computed})
            if kind.remembers:
                cloud.of(token)[kind.key(made.id, kept)] = self._told(kind, kept)
            return made.id, Bag(kept, hidden)

    def read(self, token: str, id_: str, properties: Bag, inputs: Bag) -> Found | None:
        """What is there now; None where nothing is."""
        kind, resource = self._known(token)
        prior = {**properties.values, **inputs.values}
        hidden = properties.secret | inputs.secret | kind.secrets
        if not kind.remembers:
            if not properties.values:
                raise RefusedError(
                    f"{token} {id_!r} cannot be imported: it exists nowhere but in the state of the stack that made it."
                )
            return Found(id_, Bag(properties.values, hidden), Bag(inputs.values, inputs.secret))
        with self._cloud() as cloud:
            key = kind.key(id_, prior)
            live = cloud.of(token).get(key) or kind.given(cloud, key, prior)
            if live is None:
                return None
        untold = {name: value for name, value in properties.values.items() if name in kind.untold}
        importing = not inputs.values
        found = self._inputs_of(kind, resource, {**live, **untold}, inputs.values, importing=importing)
        return Found(kind.resource_id(key), Bag({**live, **untold}, hidden), Bag(found, hidden & found.keys()))

    def update(self, token: str, id_: str, old: Bag, inputs: Bag, *, preview: bool) -> Bag:
        """Change a thing in place."""
        kind, resource = self._known(token)
        wanted = completed(shaped_inputs(inputs.values, resource), kind)
        hidden = inputs.secret | kind.secrets
        if preview or not kind.remembers:
            return Bag(self._after(kind, resource, old.values, wanted), hidden)
        with self._cloud() as cloud:
            key = kind.key(id_, old.values)
            live = cloud.of(token).get(key) or kind.given(cloud, key, old.values)
            if live is None:
                raise RefusedError(
                    f"{token} {id_} is gone: somebody deleted it. `pulumi up --refresh` notices and makes it anew."
                )
            kind.admit(cloud, key, wanted)
            kept = self._after(kind, resource, live, wanted)
            kept.update(kind.refresh(cloud, key, kept, live))
            cloud.of(token)[key] = self._told(kind, kept)
            return Bag(kept, hidden)

    def delete(self, token: str, id_: str, old: Props) -> None:
        """Remove a thing; one that is gone already is no error."""
        kind, _ = self._known(token)
        if not kind.remembers or kind.survives:
            return
        with self._cloud() as cloud:
            key = kind.key(id_, old)
            live = cloud.of(token).get(key)
            if live is None:
                return
            if live.get("deleteProtection") and not old.get("deleteProtection"):
                # The provider lifts the protection that the program asked for, not one that somebody else set.
                raise ApiError(f"{token.rpartition(':')[2]} {id_} is protected against deletion (protected)")
            kind.before_delete(cloud, key, live)
            cloud.of(token).pop(key, None)

    def invoke(self, token: str, arguments: Props) -> Props:
        """Answer a function of the provider."""
        answer = self.functions.get(token)
        if answer is None:
            raise RefusedError(f"The rehearsal does not simulate the function '{token}'.")
        with self._cloud() as cloud:
            return answer(cloud, arguments)

    def _known(self, token: str) -> tuple[Kind, ResourceType]:
        reason = self.unknown_type(token)
        resource = self.package.resource(token)
        if reason or resource is None:
            raise RefusedError(reason or token)
        return self.kinds[token], resource

    @contextmanager
    def _cloud(self) -> Iterator[Cloud]:
        if self.folder is None:
            yield Cloud(State(), read_account(Path()))
            return
        with Store(self.folder / f"{self.package.name}.json").transaction() as state:
            yield Cloud(state, read_account(self.folder))

    @classmethod
    def _after(cls, kind: Kind, resource: ResourceType, live: Props, wanted: Props) -> Props:
        """What was live with what is wanted now: the cloud's own choices stay."""
        stays = {name: value for name, value in live.items() if name not in resource.arguments or name in kind.computed}
        return {**stays, **cls._kept(kind, wanted)}

    @staticmethod
    def _kept(kind: Kind, values: Props) -> Props:
        hashed = {
            name: kept(values[name])
            for name, kept in kind.stored.items()
            if values.get(name) and not holds_unknown(values[name])
        }
        return {**values, **hashed}

    @staticmethod
    def _told(kind: Kind, values: Props) -> Props:
        """What the cloud keeps: nothing that its API would not tell, and so no secret in the state file."""
        return {name: value for name, value in values.items() if value is not None and name not in kind.untold}

    @staticmethod
    def _inputs_of(kind: Kind, resource: ResourceType, live: Props, prior: Props, *, importing: bool) -> Props:
        """The inputs that would lead to what is live: in the program's own words where they still say the same."""
        found: Props = {}
        for name, argument in resource.arguments.items():
            is_, said, default = live.get(name), prior.get(name), kind.defaults.get(name)
            if name in prior:
                kept: Value = said if name in kind.untold or same(said, is_, name, kind) else is_
            else:
                # What the program never mentioned shows only where it departs from the default: that is drift.
                unsaid = (same(is_, default, name, kind) and not argument.required) or (
                    name in kind.computed and not importing
                )
                kept = None if unsaid or (importing and name in kind.untold) else is_
            if kept is not None:
                found[name] = kept
        return kind.imported(found) if importing else found
