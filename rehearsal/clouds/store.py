"""The state of a simulated cloud: one JSON file that outlives the process, in the terms of the vendor's API.

Each request runs as one transaction. It holds a lock, because tests and the simulated machines also read and write the
file, and replaces the file by rename: a killed process leaves the old state or the new one, never a part of it.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

Json: TypeAlias = Any
Object: TypeAlias = dict[str, Json]

VERSION: Final = 1
"""Increases when the files of older checkouts can no longer be read."""
_FIRST_ID: Final = 1001


class BrokenStateError(ValueError):
    """The state file is invalid. The message contains the fix."""


@dataclass
class State:
    """The state of a cloud.

    Attributes:
        collections: the vendor's objects by collection and id, such as `servers`; ids are strings, as in the file.
        private: what the vendor never returns: keys of its CA, counters.
    """

    collections: dict[str, dict[str, Object]] = field(default_factory=dict)
    private: dict[str, Json] = field(default_factory=dict)

    def of(self, collection: str) -> dict[str, Object]:
        """All objects of a collection, by id."""
        return self.collections.setdefault(collection, {})

    def next_id(self) -> int:
        """A number that was never used before."""
        number = int(self.private.get("next_id", _FIRST_ID))
        self.private["next_id"] = number + 1
        return number


class Store:
    """The state file of one cloud."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def transaction(self) -> Iterator[State]:
        """Reads and changes the state, alone. Nothing is written if the block raises."""
        with self._locked():
            # A request that only reads leaves an empty cloud without a file.
            before = self._text() or _serialized(State())
            state = self._parsed(before)
            yield state
            if (after := _serialized(state)) != before:
                self._write(after)

    def read(self) -> State:
        """The state as it is now; raises a BrokenStateError."""
        return self._parsed(self._text())

    def _text(self) -> str:
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def _parsed(self, text: str) -> State:
        if not text:
            return State()
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise BrokenStateError(
                f"{self.path} is not valid JSON ({error}). Correct it, or remove it to start with an empty cloud."
            ) from error
        if content.get("version") != VERSION:
            raise BrokenStateError(
                f"{self.path} has version {content.get('version')} of the format, version {VERSION} was expected: an "
                "older checkout wrote it. Remove the world with `make rehearse-down` and start it again."
            )
        return State(collections=content["collections"], private=content["private"])

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # A file of its own: the state file is replaced at each write, and a lock on it would be replaced with it.
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, text: str) -> None:
        scratch = self.path.with_suffix(".new")
        scratch.touch(mode=0o600)
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(self.path)


def _serialized(state: State) -> str:
    collections = {name: objects for name, objects in state.collections.items() if objects}
    # Without `indent`, which takes ten times as long and runs in every request.
    return json.dumps({"version": VERSION, "collections": collections, "private": state.private})
