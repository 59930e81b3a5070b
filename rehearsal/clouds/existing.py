"""Creates and removes resources outside of the program, for rehearsals of an adoption and of drift."""

from __future__ import annotations

from pathlib import Path

from .catalog import NAMES, provider
from .kinds import ApiError
from .store import State, Store
from .values import PropertyMap, Props


def provision(folder: Path, token: str, inputs: Props) -> str:
    """Creates a resource that no stack manages, and returns its id. Raises ApiError for invalid inputs."""
    name = token.partition(":")[0]
    if name not in NAMES:
        raise LookupError(f"no simulated provider for {token}")
    cloud = provider(name, folder=folder)
    added, failures = cloud.check(token, str(inputs.get("name", "existing")), {}, inputs)
    if failures:
        raise ApiError("; ".join(failures))
    id_, _ = cloud.create(token, PropertyMap({**inputs, **added}), preview=False)
    return id_


def remove(folder: Path, token: str, name: str) -> None:
    """Deletes the resource with this name, without the program."""
    cloud = provider(token.partition(":")[0], folder=folder)
    resources = state(folder, token.partition(":")[0]).of(token)
    id_ = next((id_ for id_, live in resources.items() if live.get("name") == name), None)
    if id_ is None:
        raise LookupError(f"no {token} is named {name}")
    # With its live properties, deletion protection is lifted, as in the console.
    cloud.delete(token, id_, resources[id_])


def state(folder: Path, name: str) -> State:
    """The present state of a cloud."""
    return Store(folder / f"{name}.json").read()
