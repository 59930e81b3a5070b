"""Stops and starts a Deployment of the app namespace, and waits for its pods."""

from collections.abc import Sequence

from infra.names import NAMESPACE
from ops.conditions import is_true
from ops.errors import OpsError
from ops.json_paths import dig
from ops.kubernetes import Cluster, Object
from ops.wait import wait_until

STOP_SECONDS = 120.0
"""Longer than the grace period of every pod."""
START_SECONDS = 300.0
ENDED = ("Succeeded", "Failed")
"""The phases of a pod whose containers have ended."""


def deployment(cluster: Cluster, name: str) -> Object:
    """The Deployment. Raises an OpsError if it does not exist."""
    live = cluster.get("apps/v1", "Deployment", NAMESPACE, name)
    if live is None:
        raise OpsError(f"Deployment {name} does not exist in namespace {NAMESPACE}: run make up first")
    return live


def pods_of(cluster: Cluster, live: Object) -> Sequence[Object]:
    """The pods that the selector of the Deployment matches, without those that have ended.

    An evicted pod has ended. Its ReplicaSet does not delete it.
    """
    selector = live["spec"]["selector"]["matchLabels"].items()
    return [
        pod
        for pod in cluster.list("v1", "Pod", NAMESPACE)
        if selector <= pod["metadata"].get("labels", {}).items() and dig(pod, "status", "phase") not in ENDED
    ]


def stop(cluster: Cluster, name: str) -> Object:
    """Scale the Deployment to 0, wait until its pods are gone, and return the Deployment."""
    live = _scale(cluster, name, 0)
    if not wait_until(lambda: not pods_of(cluster, live), seconds=STOP_SECONDS):
        pods = ", ".join(pod["metadata"]["name"] for pod in pods_of(cluster, live))
        raise OpsError(f"these pods of {name} still exist after {STOP_SECONDS / 60:.0f} minutes: {pods}")
    return live


def start(cluster: Cluster, name: str) -> None:
    """Scale the Deployment to 1. `wait_until_ready` waits for its pod."""
    _scale(cluster, name, 1)


def wait_until_ready(cluster: Cluster, name: str) -> None:
    """Wait until a pod of the Deployment is Ready."""
    live = deployment(cluster, name)
    if not wait_until(lambda: any(is_true(pod, "Ready") for pod in pods_of(cluster, live)), seconds=START_SECONDS):
        raise OpsError(
            f"{name} is not Ready after {START_SECONDS / 60:.0f} minutes: "
            f"kubectl -n {NAMESPACE} describe pods -l app.kubernetes.io/name={name}"
        )


def _scale(cluster: Cluster, name: str, replicas: int) -> Object:
    live = deployment(cluster, name)
    if live["spec"].get("replicas") == replicas:
        return live
    return cluster.patch(live, [{"op": "add", "path": "/spec/replicas", "value": replicas}])
