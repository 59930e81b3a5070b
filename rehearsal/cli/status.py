"""What stands in a world, read from its control plane and its stack: the facts behind `status` and the summary."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rehearsal.engine.configuration import read_stack_settings
from rehearsal.world.world import World

Object = Mapping[str, Any]

WORKLOADS = "deployments,statefulsets,daemonsets"
AUTOSCALERS = "horizontalpodautoscalers"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A node of the settings, and what Kubernetes says of it."""

    alias: str
    hostname: str
    address: str
    server_type: str
    ready: bool


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A set of pods."""

    namespace: str
    name: str
    ready: int
    wanted: int
    tags: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Task:
    """A Job, and how it went; `took` is unknown until it ended well."""

    namespace: str
    name: str
    state: str
    took: timedelta | None


@dataclass(frozen=True, kw_only=True)
class Observed:
    """One look at a world."""

    machines: Sequence[Machine]
    workloads: Sequence[Workload]
    tasks: Sequence[Task]
    outputs: Mapping[str, Any]
    resources: int


def observe(world: World) -> Observed:
    """Looks once; two calls, as each costs half a second."""
    found = world.kubectl_json("get", f"nodes,jobs,{AUTOSCALERS},{WORKLOADS}", "--all-namespaces")["items"]
    deployment = json.loads(world.pulumi("stack", "export").stdout).get("deployment") or {}
    resources = deployment.get("resources") or []
    outputs: Mapping[str, Any] = next(
        (one.get("outputs", {}) for one in resources if one["type"] == "pulumi:pulumi:Stack"), {}
    )
    return Observed(
        machines=machines(world, [one for one in found if one["kind"] == "Node"], outputs.get("nodes")),
        workloads=[
            workload(one, least(one, found))
            for one in found
            if one["kind"] in {"Deployment", "StatefulSet", "DaemonSet"}
        ],
        tasks=[task(one) for one in found if one["kind"] == "Job"],
        outputs={name: "[secret]" if _is_secret(value) else value for name, value in outputs.items()},
        resources=len(resources),
    )


def machines(world: World, nodes: Sequence[Object], addresses: object) -> list[Machine]:
    """The machines of the settings; the address is the stack's, which may not be there yet."""
    state = {node["metadata"]["name"]: _condition(node, "Ready") == "True" for node in nodes}
    known = addresses if isinstance(addresses, Mapping) else {}
    return [
        Machine(
            alias=alias,
            hostname=node.hostname,
            address=str(known.get(alias, node.ipv4 or "")),
            server_type=node.server_type,
            ready=state.get(node.hostname, False),
        )
        for alias, node in read_stack_settings(world.layout.config).nodes.items()
    ]


def least(workload: Object, found: Sequence[Object]) -> int:
    """The fewest pods that an autoscaler leaves it, which it may not have reached yet."""
    return max(
        (
            one["spec"].get("minReplicas", 1)
            for one in found
            if one["kind"] == "HorizontalPodAutoscaler"
            and one["metadata"]["namespace"] == workload["metadata"]["namespace"]
            and one["spec"]["scaleTargetRef"]["name"] == workload["metadata"]["name"]
        ),
        default=0,
    )


def workload(found: Object, at_least: int = 0) -> Workload:
    """One Deployment, StatefulSet or DaemonSet."""
    status = found.get("status", {})
    of_daemons = found["kind"] == "DaemonSet"
    return Workload(
        namespace=found["metadata"]["namespace"],
        name=found["metadata"]["name"],
        ready=status.get("numberReady" if of_daemons else "readyReplicas", 0),
        wanted=status.get("desiredNumberScheduled", 0)
        if of_daemons
        else max(found["spec"].get("replicas", 1), at_least),
        tags=tuple(
            container["image"].rpartition("/")[2] for container in found["spec"]["template"]["spec"]["containers"]
        ),
    )


def task(found: Object) -> Task:
    """One Job."""
    status = found.get("status", {})
    began, ended = status.get("startTime"), status.get("completionTime")
    if _condition(found, "Failed") == "True":
        state = "failed"
    elif _condition(found, "Complete") == "True":
        state = "complete"
    else:
        state = "running"
    return Task(
        namespace=found["metadata"]["namespace"],
        name=found["metadata"]["name"],
        state=state,
        took=datetime.fromisoformat(ended) - datetime.fromisoformat(began) if began and ended else None,
    )


def _condition(found: Object, kind: str) -> str | None:
    return next(
        (
            condition["status"]
            for condition in found.get("status", {}).get("conditions", [])
            if condition["type"] == kind
        ),
        None,
    )


def _is_secret(value: object) -> bool:
    """Whether a value of an exported state is encrypted, in whole: the engine marks it with this key."""
    return isinstance(value, Mapping) and "4dabf18193072939515e22adb298388d" in value
