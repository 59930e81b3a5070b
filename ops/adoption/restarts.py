"""Finds the workloads whose pods a plan restarts, and the fields of the pod template that change."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from ops.json_paths import dig
from ops.resource_types import DAEMON_SET, DEPLOYMENT, STATEFUL_SET

WORKLOADS = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET)
TEMPLATE = ("outputs", "spec", "template")


@dataclass(frozen=True, kw_only=True)
class Restart:
    """A workload whose pods are replaced.

    Attributes:
        pods: number of pods.
        rolling: whether each pod is kept until its replacement is ready.
        changed: names of the changed fields of the pod template.
    """

    name: str
    pods: int
    rolling: bool
    changed: tuple[str, ...]

    def __str__(self) -> str:
        pods = f"{self.pods} pod{'' if self.pods == 1 else 's'}"
        strategy = (
            "one at a time, each kept until its replacement is ready"
            if self.rolling
            else "stopped before its replacement starts"
        )
        return f"{self.name} ({pods}, {strategy}): {', '.join(self.changed)}"


def restarts(events: Iterable[JsonValue]) -> Iterator[Restart]:
    """The restarts, from the events of a preview (`ops.engine.preview.preview_events`).

    Compares outputs and not inputs: the inputs of an imported workload contain every default that Kubernetes filled in,
    and would all differ from the program's. The outputs come from the API server's dry run, which fills in the same
    defaults.
    """
    for event in events:
        step = dig(event, "resOutputsEvent", "metadata")
        if isinstance(step, Mapping) and step.get("op") == "update" and step.get("type") in WORKLOADS:
            old, new = step.get("old"), step.get("new")
            changed = tuple(sorted(set(_changed_fields(dig(old, *TEMPLATE), dig(new, *TEMPLATE)))))
            if changed:
                outputs = dig(new, "outputs")
                counts = dig(outputs, "spec", "replicas"), dig(outputs, "status", "desiredNumberScheduled")
                yield Restart(
                    name=str(step["urn"]).rpartition("::")[2],
                    pods=next((count for count in counts if isinstance(count, int)), 1),
                    # The others stop a pod first: two pods would have the same name, or one port of a node.
                    rolling=step["type"] == DEPLOYMENT and dig(outputs, "spec", "strategy", "type") != "Recreate",
                    changed=changed,
                )


def _changed_fields(old: JsonValue, new: JsonValue) -> Iterator[str]:
    """Names of the changed fields of a pod template: "labels", "annotations", fields of the pod and its containers."""
    for field in ("labels", "annotations"):
        if (dig(old, "metadata", field) or {}) != (dig(new, "metadata", field) or {}):
            yield field
    before, after = dig(old, "spec"), dig(new, "spec")
    for field in _keys(before, after):
        if dig(before, field) != dig(after, field):
            if field == "containers":
                yield from _changed_container_fields(dig(before, field), dig(after, field))
            else:
                yield field


def _changed_container_fields(old: JsonValue, new: JsonValue) -> Iterator[str]:
    before, after = _by_name(old), _by_name(new)
    if before.keys() != after.keys():
        yield "containers"
    for name in before.keys() & after.keys():
        for field in _keys(before[name], after[name]):
            if dig(before[name], field) != dig(after[name], field):
                yield field


def _by_name(containers: JsonValue) -> dict[str, JsonValue]:
    return {str(dig(item, "name")): item for item in containers} if isinstance(containers, list) else {}


def _keys(*values: JsonValue) -> set[str]:
    return {key for value in values if isinstance(value, Mapping) for key in value}
