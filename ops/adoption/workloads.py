"""Finds the workloads of the cluster that the program does not declare, in every namespace."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops.conditions import is_true
from ops.json_paths import dig
from ops.kubernetes import Cluster, Object
from ops.plan import State

KINDS: Mapping[str, str] = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "ReplicaSet": "apps/v1",
    "CronJob": "batch/v1",
    "Job": "batch/v1",
    "Pod": "v1",
}
"""API versions of all kinds that run pods, by kind."""
ENDED_PHASES = ("Succeeded", "Failed")
ENDED_CONDITIONS = ("Complete", "Failed")


@dataclass(frozen=True, kw_only=True, eq=False)
class Workload:
    """A workload that runs pods.

    Attributes:
        labels: of its pods.
        pod: the spec of its pods.
        replicas: number of its pods.
    """

    kind: str
    namespace: str
    name: str
    labels: Mapping[str, str]
    pod: Mapping[str, Any]
    replicas: int = 1

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @classmethod
    def of(cls, kind: str, live: Object) -> "Workload":
        spec = live["spec"]
        if kind == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        template = live if kind == "Pod" else spec["template"]
        replicas = live.get("status", {}).get("desiredNumberScheduled") if kind == "DaemonSet" else spec.get("replicas")
        return cls(
            kind=kind,
            namespace=live["metadata"]["namespace"],
            name=live["metadata"]["name"],
            labels=(template.get("metadata") or {}).get("labels") or {},
            pod=template["spec"],
            replicas=1 if replicas is None else replicas,
        )

    @property
    def containers(self) -> Sequence[Mapping[str, Any]]:
        """All containers, init containers included."""
        return [*(self.pod.get("initContainers") or ()), *self.pod["containers"]]


def undeclared_workloads(cluster: Cluster, states: Sequence[State]) -> Iterator[Workload]:
    """The undeclared workloads of all namespaces. Objects of a controller, and what has ended, are left out."""
    declared = {
        (dig(state.inputs, "kind"), dig(state.inputs, "metadata", "namespace"), dig(state.inputs, "metadata", "name"))
        for state in states
    }
    for kind, version in KINDS.items():
        for live in cluster.list_everywhere(version, kind):
            metadata = live["metadata"]
            key = (kind, metadata["namespace"], metadata["name"])
            if key not in declared and not metadata.get("ownerReferences") and not _has_ended(live):
                yield Workload.of(kind, live)


def _has_ended(live: Object) -> bool:
    """Whether it starts no pod any more: a Job or a pod that has ended."""
    status = live.get("status") or {}
    if status.get("phase") in ENDED_PHASES:
        return True
    return "template" in live["spec"] and any(is_true(live, kind) for kind in ENDED_CONDITIONS)
