"""Things that are made or removed by hand: what an adoption takes over, what a refresh finds missing."""

from __future__ import annotations

from pathlib import Path

from .catalog import NAMES, provider
from .kinds import ApiError
from .store import State, Store
from .values import Bag, Props


def provision(folder: Path, token: str, inputs: Props) -> str:
    """Create a thing in the clouds of `folder`, as somebody did by hand long ago; returns its id.

    The inputs are checked as a program's are: a mistake in them raises ApiError.
    """
    name = token.partition(":")[0]
    if name not in NAMES:
        raise LookupError(f"no simulated provider for {token}")
    cloud = provider(name, folder=folder)
    added, reasons = cloud.check(token, str(inputs.get("name", "existing")), {}, inputs)
    if reasons:
        raise ApiError("; ".join(reasons))
    id_, _ = cloud.create(token, Bag({**inputs, **added}), preview=False)
    return id_


def remove(folder: Path, token: str, name: str) -> None:
    """Delete a thing, as somebody does by hand behind the program's back."""
    cloud = provider(token.partition(":")[0], folder=folder)
    held = state(folder, token.partition(":")[0]).of(token)
    id_ = next((id_ for id_, live in held.items() if live.get("name") == name), None)
    if id_ is None:
        raise LookupError(f"no {token} is named {name}")
    # Whoever deletes it in the console lifts its protection there.
    cloud.delete(token, id_, held[id_])


def state(folder: Path, name: str) -> State:
    """Everything that a cloud holds now."""
    return Store(folder / f"{name}.json").read()
