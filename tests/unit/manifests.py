"""The Kubernetes objects that the program registers, as the API server would be sent them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.unit.capture import Capture

Object = Mapping[str, Any]


def manifests(program: Capture) -> list[Object]:
    """Every object, in the order of registration; one without a name gets its resource's, as Pulumi would begin it."""
    return list(_objects(program))


def _objects(program: Capture) -> Iterator[Object]:
    for one in program.registrations:
        if one.type.startswith("kubernetes:") and {"apiVersion", "kind"} <= one.inputs.keys():
            metadata = dict(one.inputs.get("metadata", {}))
            yield _whole({**one.inputs, "metadata": {"name": one.name, **metadata}})


def _whole(value: Any) -> Any:
    """The engine's numbers are all floats; Kubernetes' ports and counts are whole."""
    match value:
        case dict():
            return {key: _whole(one) for key, one in value.items()}
        case list():
            return [_whole(one) for one in value]
        case float() if value.is_integer():
            return int(value)
    return value


def of(objects: Sequence[Object], kind: str) -> list[Object]:
    """Those of one kind; never none."""
    found = [one for one in objects if one["kind"] == kind]
    assert found, f"no {kind} was rendered"
    return found
