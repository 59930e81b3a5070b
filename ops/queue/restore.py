"""Restores a saved queue into the new volume of redis, before redis starts.

A temporary pod with the image and the volume of redis writes the data, so that redis and its clients never see an empty
queue: a job that was accepted by an empty redis would be lost with the restore.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.names import HOSTNAME, NAMESPACE
from ops.errors import OpsError
from ops.json_paths import dig
from ops.kubectl import Kubectl
from ops.kubernetes import Cluster, Object
from ops.queue import saved, scripts
from ops.queue.command import REDIS
from ops.queue.deployments import START_SECONDS, deployment
from ops.wait import wait_until

POD = "redis-restore"
LIFETIME_SECONDS = 1800
"""Ends the pod if the command was killed."""
RESTORE_LABELS: Mapping[str, str] = {"app.kubernetes.io/name": POD}
"""Without the labels of redis: its Service and its policy must not apply to this pod."""


def restore(cluster: Cluster, kubectl: Kubectl, file: Path, record: saved.Record, *, node: str) -> None:
    """Write the data of the file into the volume of redis, which must be stopped and whose volume must be empty.

    Raises an OpsError if the restored queue does not contain the jobs of the record.
    """
    with _pod(cluster, node):
        with file.open("rb") as content:
            kubectl.shell(NAMESPACE, POD, scripts.UPLOAD, stdin=content)
        if kubectl.shell(NAMESPACE, POD, scripts.SHA256) != record.sha256:
            raise OpsError("the copy in the pod is not complete: the connection to the API server ended early")
        jobs = saved.JOBS.validate_json(kubectl.shell(NAMESPACE, POD, scripts.LOAD))
    if jobs != record.jobs:
        raise OpsError(
            f"the new volume contains {saved.described(jobs)} and not the saved {saved.described(record.jobs)}"
        )


def pod_manifest(live: Object, node: str) -> Object:
    """A pod with the image, the user and the volumes of redis on this node, which only sleeps."""
    spec: dict[str, Any] = {**live["spec"]["template"]["spec"]}
    (container,) = spec["containers"]
    unused = {"args", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "ports"}
    sleeping = {key: value for key, value in container.items() if key not in unused}
    spec |= {
        "containers": [{**sleeping, "command": ["sleep", str(LIFETIME_SECONDS)]}],
        "nodeSelector": {**spec.get("nodeSelector", {}), HOSTNAME: node},
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
    }
    metadata = {"name": POD, "namespace": NAMESPACE, "labels": dict(RESTORE_LABELS)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@contextmanager
def _pod(cluster: Cluster, node: str) -> Iterator[None]:
    _delete(cluster)  # that of an interrupted command
    cluster.create(pod_manifest(deployment(cluster, REDIS), node))
    try:
        _wait_until_running(cluster)
        yield
    finally:
        _delete(cluster)


def _wait_until_running(cluster: Cluster) -> None:
    def phase() -> str:
        return str(dig(cluster.get("v1", "Pod", NAMESPACE, POD) or {}, "status", "phase"))

    if not wait_until(lambda: phase() == "Running", seconds=START_SECONDS):
        events = [
            str(event.get("message"))
            for event in cluster.list("v1", "Event", NAMESPACE)
            if event["involvedObject"].get("name") == POD
        ]
        raise OpsError(
            f"pod {POD} does not run after {START_SECONDS / 60:.0f} minutes ({phase()}): "
            f"{events[-1] if events else 'no events'}"
        )


def _delete(cluster: Cluster) -> None:
    if live := cluster.get("v1", "Pod", NAMESPACE, POD):
        cluster.delete("v1", "Pod", live)
    if not wait_until(lambda: cluster.get("v1", "Pod", NAMESPACE, POD) is None, seconds=START_SECONDS):
        raise OpsError(f"pod {POD} was not deleted: kubectl -n {NAMESPACE} delete pod {POD} --force")
