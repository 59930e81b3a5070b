"""The state of a simulated cloud: one JSON file.

Several provider processes may use the file at the same time. A transaction therefore holds a lock, and writes by
rename: a killed process leaves either the old or the new state.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .values import Props

_FIRST_ID = 1001


class BrokenStateError(ValueError):
    """The state file cannot be read."""


@dataclass
class State:
    """The resources of a cloud."""

    resources: dict[str, dict[str, Props]] = field(default_factory=dict)
    """The live properties of each resource, by type token and id."""
    internal: dict[str, Any] = field(default_factory=dict)
    """Secrets and counters of the cloud itself."""

    def of(self, token: str) -> dict[str, Props]:
        """The live properties of all resources of a type, by id."""
        return self.resources.setdefault(token, {})

    def next_id(self) -> int:
        """A new, unused numeric id."""
        number = int(self.internal.get("next_id", _FIRST_ID))
        self.internal["next_id"] = number + 1
        return number


class Store:
    """The state file of one cloud."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def transaction(self) -> Iterator[State]:
        """Reads and changes the state exclusively. Nothing is written when the block raises an exception."""
        with self._locked():
            state = self._load()
            before = _serialize(state)
            yield state
            if _serialize(state) != before:
                self._save(state)

    def read(self) -> State:
        """The present state."""
        return self._load()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # A separate file: each write replaces the state file, and a lock on it would be lost.
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _load(self) -> State:
        try:
            raw = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return State()
        except json.JSONDecodeError as error:
            raise BrokenStateError(
                f"{self.path} is not valid JSON ({error}): fix it, or remove it to start with an empty cloud"
            ) from error
        return State(resources=raw.get("resources", {}), internal=raw.get("internal", {}))

    def _save(self, state: State) -> None:
        new_file = self.path.with_suffix(".new")
        new_file.touch(mode=0o600)
        new_file.write_text(_serialize(state), encoding="utf-8")
        new_file.replace(self.path)


def _serialize(state: State) -> str:
    resources = {token: resources for token, resources in state.resources.items() if resources}
    return json.dumps({"resources": resources, "internal": state.internal}, indent=1) + "\n"
