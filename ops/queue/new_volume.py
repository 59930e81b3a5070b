"""The part of `new-volume` that restores a saved queue."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from infra.names import HOSTNAME, NAMESPACE
from ops import kubernetes
from ops.engine.stack import Settings
from ops.engine.update import apply
from ops.errors import OpsError
from ops.json_paths import dig
from ops.kubectl import kubectl_for
from ops.kubernetes import Cluster
from ops.plan import State
from ops.queue import deployments, saved
from ops.queue.command import REDIS, WORKER
from ops.queue.restore import restore

console = Console(soft_wrap=True, highlight=False)


@dataclass(frozen=True, kw_only=True)
class SavedQueue:
    """A file of `save-queue` with its record, which was compared with the file."""

    file: Path
    record: saved.Record

    @classmethod
    def open(cls, file: Path, app: str) -> "SavedQueue":
        """Read the record. Raises an OpsError if the file is incomplete, or if the app is not redis."""
        if app != REDIS:
            raise OpsError(f"only redis has a saved queue, and not {app}")
        return cls(file=file, record=saved.read(file))

    @property
    def description(self) -> str:
        return f", and then {saved.described(self.record.jobs)} of {self.file}, saved {self.record.saved_at:%F %R} UTC"

    def is_current(self, cluster: Cluster) -> bool:
        """Whether redis has not run since it was saved. Every change of its Deployment changes the generation."""
        live = deployments.deployment(cluster, REDIS)
        return live["metadata"]["generation"] == self.record.generation and not deployments.pods_of(cluster, live)

    def stop(self, cluster: Cluster) -> None:
        """Stop worker and redis, if they run."""
        for name in (WORKER, REDIS):
            deployments.stop(cluster, name)


def restore_queue(stack: str, settings: Settings, queue: SavedQueue, redis: State) -> int:
    """Restore the queue into the new volume, then start redis and worker. Returns an exit code."""
    node = str(dig(settings, "redis", "node"))
    access = kubernetes.kubeconfig_and_context(stack, settings)
    with kubernetes.connect(stack, settings) as cluster, kubectl_for(*access, purpose="It copies the data") as kubectl:
        console.print(f"Restoring {queue.file} on node {node}.")
        restore(cluster, kubectl, queue.file, queue.record, node=node)
        deployments.start(cluster, REDIS)
        if dig(deployments.deployment(cluster, REDIS), "spec", "template", "spec", "nodeSelector", HOSTNAME) != node:
            # honeydue:redis.node was changed. The pod of the old Deployment cannot use the volume.
            status = apply(stack, only=redis.urn)
            if status != 0:
                console.print(f"redis was not moved to node {node}, as shown above. Next: {_start(stack)}")
                return status
        deployments.wait_until_ready(cluster, REDIS)
        deployments.start(cluster, WORKER)
        deployments.wait_until_ready(cluster, WORKER)
    console.print(
        f"Restored {saved.described(queue.record.jobs)}. redis runs on node {node}, and worker runs.\n"
        f"The files contain data of users. Delete them: rm {queue.file} {saved.record_file(queue.file)}"
    )
    return 0


def _start(stack: str) -> str:
    return f"make up STACK={stack}, then kubectl -n {NAMESPACE} scale deployment/{WORKER} --replicas=1"
