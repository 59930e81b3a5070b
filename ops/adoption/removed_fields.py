"""Finds what a plan removes from existing Kubernetes objects, apart from the keys of ConfigMaps and Secrets.

Compares outputs, like ops/adoption/restarts.py: the new ones come from the API server's dry run, and keep the fields of
other field managers.
"""

from collections.abc import Iterable, Iterator, Mapping

import yaml
from pydantic import JsonValue

from ops.json_paths import dig
from ops.plan import short_name

IGNORED_ANNOTATIONS = ("kubectl.kubernetes.io/", "deployment.kubernetes.io/", "pulumi.com/")
"""Prefixes of annotations that kubectl, Kubernetes and Pulumi write."""


def removed_fields(events: Iterable[JsonValue]) -> Iterator[str]:
    """What each object loses, from the events of a preview: "Service::api: port 9000". Never yields a value."""
    for event in events:
        step = dig(event, "resOutputsEvent", "metadata")
        if not isinstance(step, Mapping) or step.get("op") != "update":
            continue
        old, new = dig(step, "old", "outputs"), dig(step, "new", "outputs")
        before = set(_contents(old))
        if removed := sorted(before - set(_contents(new))):
            yield f"{short_name(str(step['urn']))}: {', '.join(removed)}"


def _contents(manifest: JsonValue) -> Iterator[str]:
    for name in _keys(dig(manifest, "metadata", "annotations")):
        if not name.startswith(IGNORED_ANNOTATIONS):
            yield f"annotation {name}"
    if dig(manifest, "kind") == "Service":
        for port in _list(dig(manifest, "spec", "ports")):
            yield f"port {dig(port, 'port')}"
    for container in _list(dig(manifest, "spec", "template", "spec", "containers")):
        for variable in _list(dig(container, "env")):
            yield f"variable {dig(variable, 'name')}"
    values = dig(manifest, "spec", "valuesContent")
    if isinstance(values, str):
        yield from (f"chart value {path}" for path in _chart_values(values))


def _chart_values(text: str) -> Iterator[str]:
    """The path of every value. Text that is no YAML has none: helm-controller cannot apply it either."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError:
        return
    yield from _paths(values)


def _paths(values: object, prefix: str = "") -> Iterator[str]:
    """The path of every key of nested maps."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield f"{prefix}{key}"
            yield from _paths(value, f"{prefix}{key}.")


def _keys(value: JsonValue) -> Iterable[str]:
    return value.keys() if isinstance(value, Mapping) else ()


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []
