"""The Kubernetes objects that the program registers, as the API server would receive them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.unit.capture import Capture

Object = Mapping[str, Any]


def manifests(program: Capture) -> list[Object]:
    """Every object, in the order of registration. An object without a name gets the name of its resource."""
    return list(_objects(program))


def _objects(program: Capture) -> Iterator[Object]:
    for resource in program.registrations:
        if resource.type.startswith("kubernetes:") and {"apiVersion", "kind"} <= resource.inputs.keys():
            metadata = dict(resource.inputs.get("metadata", {}))
            yield _with_integers({**resource.inputs, "metadata": {"name": resource.name, **metadata}})


def _with_integers(value: Any) -> Any:
    """Converts floats to integers where possible: the engine's numbers are floats, ports and counts are integers."""
    match value:
        case dict():
            return {key: _with_integers(item) for key, item in value.items()}
        case list():
            return [_with_integers(item) for item in value]
        case float() if value.is_integer():
            return int(value)
    return value


def of_kind(objects: Sequence[Object], kind: str) -> list[Object]:
    """The objects of a kind. Fails if there are none."""
    matching = [item for item in objects if item["kind"] == kind]
    assert matching, f"no {kind} was rendered"
    return matching
