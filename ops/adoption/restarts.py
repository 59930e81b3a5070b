"""Which pods a plan restarts, and for what: the pod templates of now against those the API server would write."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from ops.adoption.findings import dig

WORKLOADS = ("kubernetes:apps/v1:Deployment", "kubernetes:apps/v1:StatefulSet", "kubernetes:apps/v1:DaemonSet")
TEMPLATE = ("outputs", "spec", "template")


@dataclass(frozen=True, kw_only=True)
class Restart:
    """A workload whose pods are made anew: how many, whether one after the other, and the parts of them that differ."""

    name: str
    pods: int
    one_by_one: bool
    because: tuple[str, ...]

    def __str__(self) -> str:
        pods = f"{self.pods} pod{'' if self.pods == 1 else 's'}"
        how = (
            "one at a time, none lost before its successor is ready"
            if self.one_by_one
            else "it stops before its successor starts"
        )
        return f"{self.name} ({pods}, {how}): {', '.join(self.because)}"


def restarts(events: Iterable[JsonValue]) -> Iterator[Restart]:
    """From the events of a preview (`ops.engine.previewed`).

    The inputs of an adopted workload name all that Kubernetes filled in by itself, so a comparison of inputs would call everything
    a change. Its outputs do not: the preview asks the API server, which fills in the same again.
    """
    for event in events:
        step = dig(event, "resOutputsEvent", "metadata")
        if isinstance(step, Mapping) and step.get("op") == "update" and step.get("type") in WORKLOADS:
            old, new = step.get("old"), step.get("new")
            because = tuple(sorted(set(_differing(dig(old, *TEMPLATE), dig(new, *TEMPLATE)))))
            if because:
                replicas = dig(new, "outputs", "spec", "replicas")
                yield Restart(
                    name=str(step["urn"]).rpartition("::")[2],
                    pods=replicas if isinstance(replicas, int) else 1,
                    one_by_one=dig(new, "outputs", "spec", "strategy", "type") != "Recreate",
                    because=because,
                )


def _differing(old: JsonValue, new: JsonValue) -> Iterator[str]:
    """Names of the parts of a pod that differ: labels and annotations, fields of the pod, fields of its containers."""
    for part in ("labels", "annotations"):
        if (dig(old, "metadata", part) or {}) != (dig(new, "metadata", part) or {}):
            yield part
    before, after = dig(old, "spec"), dig(new, "spec")
    for field in _keys(before, after):
        if dig(before, field) != dig(after, field):
            if field == "containers":
                yield from _differing_containers(dig(before, field), dig(after, field))
            else:
                yield field


def _differing_containers(old: JsonValue, new: JsonValue) -> Iterator[str]:
    before, after = _by_name(old), _by_name(new)
    if before.keys() != after.keys():
        yield "containers"
    for name in before.keys() & after.keys():
        for field in _keys(before[name], after[name]):
            if dig(before[name], field) != dig(after[name], field):
                yield field


def _by_name(containers: JsonValue) -> dict[str, JsonValue]:
    return {str(dig(one, "name")): one for one in containers} if isinstance(containers, list) else {}


def _keys(*values: JsonValue) -> set[str]:
    return {key for value in values if isinstance(value, Mapping) for key in value}
