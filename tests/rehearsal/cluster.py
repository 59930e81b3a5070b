"""What the tests read from the control plane of a world."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from rehearsal.world.world import World

NAMESPACE = "honeydue"
SETTLE_SECONDS = 20
APP = "app.kubernetes.io/name"


def items(world: World, kind: str, app: str | None = None) -> list[Mapping[str, Any]]:
    """Objects of one kind in the namespace, of one app where it is named."""
    chosen = ["-l", f"{APP}={app}"] if app else []
    found: list[Mapping[str, Any]] = world.kubectl_json("get", kind, "-n", NAMESPACE, *chosen)["items"]
    return found


MADE_BY_SOMEBODY = (
    "namespaces,configmaps,secrets,serviceaccounts,services,persistentvolumeclaims,deployments,pods,jobs,ingresses,networkpolicies,"
    "poddisruptionbudgets,horizontalpodautoscalers,helmchartconfigs.helm.cattle.io,middlewares.traefik.io,tlsoptions.traefik.io"
)
"""Kinds whose objects people or programs make; what Kubernetes derives from them (endpoints, ReplicaSets, events) is not among them."""


def everything(world: World) -> Mapping[str, tuple[str, str]]:
    """Each object of the cluster by kind, namespace and name: its uid, and all that was written into it (its status is not)."""
    found = world.kubectl_json("get", MADE_BY_SOMEBODY, "--all-namespaces")["items"]
    return {
        f"{one['kind']} {one['metadata'].get('namespace', '')}/{one['metadata']['name']}": _written(one)
        for one in found
    }


def _written(found: Mapping[str, Any]) -> tuple[str, str]:
    metadata = found["metadata"]
    text = {key: value for key, value in found.items() if key not in {"metadata", "status"}}
    return metadata["uid"], json.dumps([text, metadata.get("labels"), metadata.get("annotations")], sort_keys=True)


def time(value: str) -> datetime:
    return datetime.fromisoformat(value)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What serves at one moment: pods and migrations by uid, and how often each Deployment's text was changed."""

    pods: Mapping[str, frozenset[str]]
    generations: Mapping[str, int]
    jobs: frozenset[str]


def snapshot(world: World) -> Snapshot:
    """Taken as soon as no old pod is left: the engine returns when the new ones are ready, a moment before the last old one goes."""
    rolling = retry_if_result(lambda deployments: any(map(_is_rolling, deployments)))
    # A rollout that does not end is reported as it is.
    patiently = Retrying(
        retry=rolling, stop=stop_after_delay(SETTLE_SECONDS), wait=wait_fixed(0.1), retry_error_callback=lambda _: None
    )
    patiently(items, world, "deployments")
    pods: dict[str, set[str]] = {}
    for pod in items(world, "pods"):
        if pod["metadata"]["labels"][APP] != "migrate" and "deletionTimestamp" not in pod["metadata"]:
            pods.setdefault(pod["metadata"]["labels"][APP], set()).add(pod["metadata"]["uid"])
    return Snapshot(
        pods={app: frozenset(uids) for app, uids in pods.items()},
        generations={one["metadata"]["name"]: one["metadata"]["generation"] for one in items(world, "deployments")},
        jobs=frozenset(one["metadata"]["uid"] for one in items(world, "jobs")),
    )


def _is_rolling(deployment: Mapping[str, Any]) -> bool:
    """Whether its status is of an older text, or counts another pod than the new ones."""
    status, replicas = deployment["status"], deployment["spec"]["replicas"]
    seen = status.get("observedGeneration") == deployment["metadata"]["generation"]
    return not seen or status.get("replicas") != replicas or status.get("updatedReplicas") != replicas


def rolled(before: Snapshot, after: Snapshot) -> set[str]:
    """Apps that kept none of their pods."""
    return {app for app, uids in after.pods.items() if not uids & before.pods.get(app, frozenset())}


def untouched(before: Snapshot, after: Snapshot) -> set[str]:
    """Apps whose pods are the same ones."""
    return {app for app, uids in after.pods.items() if uids == before.pods.get(app)}
