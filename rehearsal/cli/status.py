"""The status of a world, read from its cluster and its stack."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ops.engine.sentinels import SIGNATURE_KEY
from rehearsal.engine.configuration import read_stack_settings
from rehearsal.layout import worlds as layouts
from rehearsal.world.world import World

Object = Mapping[str, Any]

WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
RESOURCES = "nodes,jobs,horizontalpodautoscalers,deployments,statefulsets,daemonsets"


@dataclass(frozen=True, kw_only=True)
class WorldState:
    """A world of this checkout, and whether it runs."""

    name: str
    real_nodes: bool
    up: bool


@dataclass(frozen=True, kw_only=True)
class NodeStatus:
    """A node of the settings. `ready` is the condition of its Node."""

    alias: str
    hostname: str
    address: str
    server_type: str
    ready: bool


@dataclass(frozen=True, kw_only=True)
class WorkloadStatus:
    """The pods of a Deployment, StatefulSet or DaemonSet."""

    namespace: str
    name: str
    ready: int
    desired: int
    images: tuple[str, ...]
    """Without registry and repository path, for example `redis:7-alpine`."""


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """A Job. `duration` is None until it is complete."""

    namespace: str
    name: str
    state: str
    duration: timedelta | None


@dataclass(frozen=True, kw_only=True)
class WorldStatus:
    """The cluster and the stack of a world. `resources` is the number of resources in the stack's state."""

    nodes: Sequence[NodeStatus]
    workloads: Sequence[WorkloadStatus]
    jobs: Sequence[JobStatus]
    outputs: Mapping[str, Any]
    resources: int


def world_states() -> Sequence[WorldState]:
    """All worlds of this checkout."""
    worlds = [World(layout.folder) for layout in layouts()]
    return [WorldState(name=world.layout.name, real_nodes=world.has_real_nodes(), up=world.is_up()) for world in worlds]


def read_status(world: World) -> WorldStatus:
    """Reads the status with one call of kubectl and one of pulumi. Each takes half a second."""
    objects = world.kubectl_json("get", RESOURCES, "--all-namespaces")["items"]
    deployment = json.loads(world.pulumi("stack", "export").stdout).get("deployment") or {}
    resources = deployment.get("resources") or []
    outputs: Mapping[str, Any] = next(
        (resource.get("outputs", {}) for resource in resources if resource["type"] == "pulumi:pulumi:Stack"), {}
    )
    return WorldStatus(
        nodes=node_statuses(world, [item for item in objects if item["kind"] == "Node"], outputs.get("nodes")),
        workloads=[workload_status(item, min_replicas(item, objects)) for item in objects if item["kind"] in WORKLOADS],
        jobs=[job_status(item) for item in objects if item["kind"] == "Job"],
        outputs={name: "[secret]" if _is_secret(value) else value for name, value in outputs.items()},
        resources=len(resources),
    )


def node_statuses(world: World, nodes: Sequence[Object], addresses: object) -> list[NodeStatus]:
    """The status of each node of the settings. `addresses` is the stack's output `nodes`, or None before an `up`."""
    ready = {node["metadata"]["name"]: _condition(node, "Ready") == "True" for node in nodes}
    known = addresses if isinstance(addresses, Mapping) else {}
    return [
        NodeStatus(
            alias=alias,
            hostname=node.hostname,
            address=str(known.get(alias, node.ipv4 or "")),
            server_type=node.server_type,
            ready=ready.get(node.hostname, False),
        )
        for alias, node in read_stack_settings(world.layout.config).nodes.items()
    ]


def min_replicas(workload: Object, objects: Sequence[Object]) -> int:
    """The `minReplicas` of the workload's autoscaler, or 0. The workload may not have reached it yet."""
    return max(
        (
            item["spec"].get("minReplicas", 1)
            for item in objects
            if item["kind"] == "HorizontalPodAutoscaler"
            and item["metadata"]["namespace"] == workload["metadata"]["namespace"]
            and item["spec"]["scaleTargetRef"]["name"] == workload["metadata"]["name"]
        ),
        default=0,
    )


def workload_status(workload: Object, minimum: int = 0) -> WorkloadStatus:
    """The status of a Deployment, StatefulSet or DaemonSet, with at least `minimum` desired pods."""
    status = workload.get("status", {})
    if workload["kind"] == "DaemonSet":
        ready, desired = status.get("numberReady", 0), status.get("desiredNumberScheduled", 0)
    else:
        ready, desired = status.get("readyReplicas", 0), max(workload["spec"].get("replicas", 1), minimum)
    containers = workload["spec"]["template"]["spec"]["containers"]
    return WorkloadStatus(
        namespace=workload["metadata"]["namespace"],
        name=workload["metadata"]["name"],
        ready=ready,
        desired=desired,
        images=tuple(container["image"].rpartition("/")[2].partition("@")[0] for container in containers),
    )


def job_status(job: Object) -> JobStatus:
    """The status of a Job: running, complete or failed."""
    status = job.get("status", {})
    start, end = status.get("startTime"), status.get("completionTime")
    if _condition(job, "Failed") == "True":
        state = "failed"
    elif _condition(job, "Complete") == "True":
        state = "complete"
    else:
        state = "running"
    return JobStatus(
        namespace=job["metadata"]["namespace"],
        name=job["metadata"]["name"],
        state=state,
        duration=datetime.fromisoformat(end) - datetime.fromisoformat(start) if start and end else None,
    )


def _condition(item: Object, condition_type: str) -> str | None:
    conditions = item.get("status", {}).get("conditions", [])
    return next((condition["status"] for condition in conditions if condition["type"] == condition_type), None)


def _is_secret(value: object) -> bool:
    """Whether a value of an exported state is encrypted as a whole."""
    return isinstance(value, Mapping) and SIGNATURE_KEY in value
