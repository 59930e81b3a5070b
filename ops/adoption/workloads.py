"""Finds the workloads of the cluster that the program does not declare, in every namespace."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
NODE = "Node"
"""The owner of a static pod."""
ENDED_PHASES = ("Succeeded", "Failed")
ENDED_CONDITIONS = ("Complete", "Failed")


@dataclass(frozen=True, kw_only=True, eq=False)
class Workload:
    """A workload that runs pods.

    Attributes:
        labels: of its pods.
        pod: the spec of its pods.
        replicas: number of its pods.
        annotations: of the workload itself.
        owner: kind and name of the custom resource from which an operator created it.
    """

    kind: str
    namespace: str
    name: str
    labels: Mapping[str, str]
    pod: Mapping[str, Any]
    replicas: int = 1
    annotations: Mapping[str, str] = field(default_factory=dict)
    owner: tuple[str, str] | None = None

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
            annotations=live["metadata"].get("annotations") or {},
            owner=next(((owner["kind"], owner["name"]) for owner in _owners(live)), None),
        )

    @property
    def containers(self) -> Sequence[Mapping[str, Any]]:
        """All containers, init containers included."""
        return [*(self.pod.get("initContainers") or ()), *self.pod["containers"]]


def undeclared_workloads(cluster: Cluster, states: Sequence[State]) -> Iterator[Workload]:
    """The undeclared workloads of all namespaces. Objects of another workload, and what has ended, are left out."""
    declared = {
        (dig(state.inputs, "kind"), dig(state.inputs, "metadata", "namespace"), dig(state.inputs, "metadata", "name"))
        for state in states
    }
    for kind, version in KINDS.items():
        for live in cluster.list_everywhere(version, kind):
            metadata = live["metadata"]
            key = (kind, metadata["namespace"], metadata["name"])
            if key not in declared and not _belongs_to_workload(live) and not _has_ended(live):
                yield Workload.of(kind, live)


def _owners(live: Object) -> Sequence[Object]:
    owners: Sequence[Object] = live["metadata"].get("ownerReferences") or ()
    return owners


def _belongs_to_workload(live: Object) -> bool:
    """Whether a controller of Kubernetes or a kubelet created it. An operator owns what it creates as well."""
    return any(owner["kind"] in (*KINDS, NODE) for owner in _owners(live))


def _has_ended(live: Object) -> bool:
    """Whether it starts no pod any more: a Job or a pod that has ended."""
    status = live.get("status") or {}
    if status.get("phase") in ENDED_PHASES:
        return True
    return "template" in live["spec"] and any(is_true(live, kind) for kind in ENDED_CONDITIONS)
