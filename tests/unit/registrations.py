"""Queries on the resources that the program registers: pod templates, containers, dependencies, plain texts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pulumi
from google.protobuf.struct_pb2 import Struct, Value

from infra.names import NAMESPACE
from ops.plan import State
from tests.unit.capture import Capture, Registration

SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key by which the engine marks secrets and other special values."""


def pods(program: Capture) -> Iterator[tuple[Registration, Mapping[str, Any]]]:
    """Every pod template with the resource that contains it, of any kind."""
    for resource in program.registrations:
        spec = resource.inputs.get("spec")
        spec = spec["jobTemplate"]["spec"] if isinstance(spec, dict) and "jobTemplate" in spec else spec
        template = spec.get("template") if isinstance(spec, dict) else None
        if template:
            yield resource, template


def namespace_of(resource: Registration) -> str:
    """The namespace of an object; empty for other resources."""
    return str(resource.inputs.get("metadata", {}).get("namespace", ""))


def app_pods(program: Capture) -> Iterator[tuple[Registration, Mapping[str, Any]]]:
    """The pod templates in the app namespace."""
    yield from ((resource, template) for resource, template in pods(program) if namespace_of(resource) == NAMESPACE)


def containers(program: Capture) -> Iterator[tuple[Registration, Mapping[str, Any]]]:
    """Every container and init container with the resource that contains it."""
    for resource, template in pods(program):
        for container in template["spec"]["containers"] + template["spec"].get("initContainers", []):
            yield resource, container


def dependencies_of(program: Capture, resource: Registration) -> set[str]:
    """The URNs of all resources that this one depends on, directly or indirectly."""
    registrations = {entry.urn: entry for entry in program.registrations}
    dependencies: set[str] = set()
    pending = list(resource.request.dependencies)
    while pending:
        urn = pending.pop()
        if urn not in dependencies:
            dependencies.add(urn)
            pending += registrations[urn].request.dependencies if urn in registrations else []
    return dependencies


def plain_strings(value: Value | Struct) -> Iterator[str]:
    """Every key and text of a request that is not part of a secret."""
    if isinstance(value, Struct):
        if SECRET_SIGNATURE not in value.fields:
            for key, field in value.fields.items():
                yield key
                yield from plain_strings(field)
        return
    match value.WhichOneof("kind"):
        case "string_value":
            yield value.string_value
        case "struct_value":
            yield from plain_strings(value.struct_value)
        case "list_value":
            for item in value.list_value.values:
                yield from plain_strings(item)


def masked(request: Struct) -> Any:
    """The inputs of a registration as the engine prints them, with "[secret]" in place of each secret."""

    def mask(value: Any) -> Any:
        if pulumi.runtime.rpc.is_rpc_secret(value):
            return "[secret]"
        if isinstance(value, dict):
            return {key: mask(item) for key, item in value.items()}
        return [mask(item) for item in value] if isinstance(value, list) else value

    return mask(pulumi.runtime.rpc.deserialize_properties(request, keep_unknowns=True))


def states(program: Capture) -> Sequence[State]:
    """The planned state of every resource."""
    return [
        State.model_validate({"urn": entry.urn, "type": entry.type, "inputs": entry.inputs})
        for entry in program.registrations
    ]
