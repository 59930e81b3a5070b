"""The memory of a simulated cloud: one JSON file that outlives the run.

Several provider processes may use it at once, so each reading and writing holds a lock, and the file changes by rename: a
killed process leaves the old state or the new one, never half of one.
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
    """What exists: per type token, the live properties of each thing by its id; and the cloud's own secrets and counters."""

    resources: dict[str, dict[str, Props]] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)

    def of(self, token: str) -> dict[str, Props]:
        """All things of a type, by id."""
        return self.resources.setdefault(token, {})

    def next_id(self) -> int:
        """A number never given before."""
        number = int(self.own.get("next_id", _FIRST_ID))
        self.own["next_id"] = number + 1
        return number


class Store:
    """The state file of one cloud."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def transaction(self) -> Iterator[State]:
        """Read and change the state, alone; nothing is written if the block raises."""
        with self._alone():
            state = self._load()
            before = _text(state)
            yield state
            if _text(state) != before:
                self._save(state)

    def read(self) -> State:
        """The state as it is now."""
        return self._load()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # The lock is a file beside the state: the state's own file is replaced at each write, and a lock on it with it.
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _load(self) -> State:
        try:
            raw = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return State()
        except json.JSONDecodeError as broken:
            raise BrokenStateError(
                f"{self.path} is no JSON ({broken}): mend it, or remove it to begin with an empty cloud"
            ) from broken
        return State(resources=raw.get("resources", {}), own=raw.get("own", {}))

    def _save(self, state: State) -> None:
        scratch = self.path.with_suffix(".new")
        scratch.touch(mode=0o600)
        scratch.write_text(_text(state), encoding="utf-8")
        scratch.replace(self.path)


def _text(state: State) -> str:
    held = {token: things for token, things in state.resources.items() if things}
    return json.dumps({"resources": held, "own": state.own}, indent=1) + "\n"
