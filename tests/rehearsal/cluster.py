"""Reads the objects of a world's control plane, and compares them before and after an `up`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from ops.adoption.server_options import ANNOTATION
from rehearsal.world.world import World

NAMESPACE = "honeydue"
ROLLOUT_SECONDS = 20
APP = "app.kubernetes.io/name"


def items(world: World, kind: str, app: str | None = None) -> list[Mapping[str, Any]]:
    """The objects of one kind in the namespace, of one app if it is given."""
    selector = ["-l", f"{APP}={app}"] if app else []
    objects: list[Mapping[str, Any]] = world.kubectl_json("get", kind, "-n", NAMESPACE, *selector)["items"]
    return objects


CREATED_KINDS = (
    "namespaces,configmaps,secrets,serviceaccounts,services,persistentvolumeclaims,deployments,pods,jobs,ingresses,"
    "networkpolicies,poddisruptionbudgets,horizontalpodautoscalers,"
    "helmchartconfigs.helm.cattle.io,middlewares.traefik.io,tlsoptions.traefik.io"
)
"""Kinds that users and programs create. Kubernetes derives the others (endpoints, ReplicaSets, events) from them."""


def all_objects(world: World) -> Mapping[str, tuple[str, str]]:
    """UID and content (without the status) of every object in the cluster, by kind, namespace and name."""
    objects = world.kubectl_json("get", CREATED_KINDS, "--all-namespaces")["items"]
    return {
        f"{manifest['kind']} {manifest['metadata'].get('namespace', '')}/{manifest['metadata']['name']}": _content(
            manifest
        )
        for manifest in objects
    }


def _content(manifest: Mapping[str, Any]) -> tuple[str, str]:
    metadata = manifest["metadata"]
    fields = {key: value for key, value in manifest.items() if key not in {"metadata", "status"}}
    return metadata["uid"], json.dumps([fields, metadata.get("labels"), metadata.get("annotations")], sort_keys=True)


def timestamp(value: str) -> datetime:
    return datetime.fromisoformat(value)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """UIDs of the pods of each app, generations of the Deployments, and UIDs of the migration Jobs, at one moment."""

    pods: Mapping[str, frozenset[str]]
    generations: Mapping[str, int]
    jobs: frozenset[str]


def snapshot(world: World) -> Snapshot:
    """Waits until no rollout is in progress, then takes a snapshot.

    The engine returns when the new pods are ready, before Kubernetes has deleted the last old pod.
    """
    rolling = retry_if_result(lambda deployments: any(map(_is_rolling, deployments)))
    # After the time-out, the snapshot shows the rollout that did not complete.
    retry = Retrying(
        retry=rolling, stop=stop_after_delay(ROLLOUT_SECONDS), wait=wait_fixed(0.1), retry_error_callback=lambda _: None
    )
    retry(items, world, "deployments")
    pods: dict[str, set[str]] = {}
    for pod in items(world, "pods"):
        if pod["metadata"]["labels"][APP] != "migrate" and "deletionTimestamp" not in pod["metadata"]:
            pods.setdefault(pod["metadata"]["labels"][APP], set()).add(pod["metadata"]["uid"])
    return Snapshot(
        pods={app: frozenset(uids) for app, uids in pods.items()},
        generations={
            deployment["metadata"]["name"]: deployment["metadata"]["generation"]
            for deployment in items(world, "deployments")
        },
        jobs=frozenset(job["metadata"]["uid"] for job in items(world, "jobs")),
    )


def _is_rolling(deployment: Mapping[str, Any]) -> bool:
    """Whether the status is older than the spec, or counts pods other than the updated ones."""
    status, replicas = deployment["status"], deployment["spec"]["replicas"]
    observed = status.get("observedGeneration") == deployment["metadata"]["generation"]
    return not observed or status.get("replicas") != replicas or status.get("updatedReplicas") != replicas


def rolled(before: Snapshot, after: Snapshot) -> set[str]:
    """Apps whose pods were all replaced."""
    return {app for app, uids in after.pods.items() if not uids & before.pods.get(app, frozenset())}


def untouched(before: Snapshot, after: Snapshot) -> set[str]:
    """Apps whose pods are the same as before."""
    return {app for app, uids in after.pods.items() if uids == before.pods.get(app)}


def record_option(world: World, option: str) -> None:
    """Adds an option to those that k3s records in the annotation of each Node, as after a restart with it."""
    (arguments,) = {node["metadata"]["annotations"][ANNOTATION] for node in world.kubectl_json("get", "nodes")["items"]}
    changed = json.dumps([*json.loads(arguments), option])
    world.kubectl("annotate", "nodes", "--all", "--overwrite", f"{ANNOTATION}={changed}")
