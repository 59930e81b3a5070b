"""The `save-queue` command: the cache and the queue of redis in a file, after everything that writes has stopped.

The jobs of Asynq are on the disk of one node. Before that disk is lost on purpose, this command saves them, and
`new-volume --from` restores them.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from infra.names import NAMESPACE
from ops import kubernetes
from ops.conditions import is_true
from ops.confirmation import confirm
from ops.engine.stack import read_settings
from ops.errors import OpsError
from ops.guardrails.commands import stack_option
from ops.kubectl import Kubectl, kubectl_for
from ops.kubernetes import Cluster
from ops.queue import deployments, saved, scripts
from ops.termination import exit_on_termination

REDIS, WORKER = "redis", "worker"
STOPPED = f"kubectl -n {NAMESPACE} scale deployment/{REDIS} deployment/{WORKER} --replicas=1"
"""The command that starts both again, with the data on the old volume."""

console = Console(soft_wrap=True, highlight=False)


@click.command("save-queue")
@stack_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def save_queue(stack: str, file: Path, yes: bool) -> None:
    """Stop worker and redis, and save the data of redis to FILE.

    worker stops first and finishes its jobs. redis then refuses writes, so that no job is added that FILE lacks.
    """
    for path in (file, saved.record_file(file)):
        if path.exists():
            raise OpsError(f"{path} exists: select another FILE, or delete it")
    if not os.access(file.absolute().parent, os.W_OK | os.X_OK):
        raise OpsError(f"FILE cannot be written: {file.absolute().parent} does not exist, or you may not write there")
    settings = read_settings(stack)
    access = kubernetes.kubeconfig_and_context(stack, settings)
    with kubernetes.connect(stack, settings) as cluster, kubectl_for(*access, purpose="It copies the data") as kubectl:
        pod = _running_pod(cluster)
        console.print(
            "worker and redis stop. Until `make new-volume` starts them, no job runs, and api has neither queue nor "
            f"cache. The data of redis is then in {file}, unencrypted."
        )
        if not yes:
            confirm(f"Stop worker and redis of stack {stack}?")
        with exit_on_termination():
            record = save(cluster, kubectl, pod, file)
    saved.write(file, record)
    console.print(
        f"Saved {saved.described(record.jobs)} to {file}. worker and redis are stopped.\n"
        f"Next, after the node was replaced or honeydue:redis.node was changed:\n"
        f"  make new-volume STACK={stack} APP={REDIS} FROM={file}\n"
        f"To cancel, while the old volume exists:\n"
        f"  {STOPPED}"
    )


def save(cluster: Cluster, kubectl: Kubectl, pod: str, file: Path) -> saved.Record:
    """Stop what writes, copy the data, and stop redis. If any step fails, redis and worker run as before."""
    complete = False
    try:
        deployments.stop(cluster, WORKER)
        kubectl.shell(NAMESPACE, pod, scripts.REFUSE_WRITES)
        kubectl.shell(NAMESPACE, pod, scripts.DUMP_DATA)
        jobs = kubectl.shell(NAMESPACE, pod, scripts.COUNT_JOBS)
        sha256 = kubectl.shell(NAMESPACE, pod, scripts.SHA256)
        _download(kubectl, pod, file, sha256)
        stopped = deployments.stop(cluster, REDIS)
        record = saved.Record(
            saved_at=datetime.now(UTC),
            sha256=sha256,
            generation=stopped["metadata"]["generation"],
            jobs=saved.JOBS.validate_json(jobs),
        )
        complete = True
    finally:
        # Also after Ctrl-C, or when the terminal was closed.
        if not complete:
            file.unlink(missing_ok=True)
            _resume(cluster, kubectl, pod)
    return record


def _running_pod(cluster: Cluster) -> str:
    for pod in deployments.pods_of(cluster, deployments.deployment(cluster, REDIS)):
        if is_true(pod, "Ready") and "deletionTimestamp" not in pod["metadata"]:
            return str(pod["metadata"]["name"])
    raise OpsError(
        f"no pod of redis is Ready, so its data cannot be saved: kubectl -n {NAMESPACE} describe pods "
        f"-l app.kubernetes.io/name={REDIS}. If its disk is lost, see docs/runbook.md, Give redis a new volume"
    )


def _download(kubectl: Kubectl, pod: str, file: Path, sha256: str) -> None:
    # The data of users: only the operator may read it.
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as content:
        kubectl.shell(NAMESPACE, pod, scripts.DOWNLOAD, stdout=content)
    if saved.checksum(file) != sha256:
        raise OpsError("the copy is not complete: the connection to the API server ended early. Try again")


def _resume(cluster: Cluster, kubectl: Kubectl, pod: str) -> None:
    console.print("The data was not saved. Starting worker and redis again.")
    try:
        deployments.start(cluster, REDIS)
        kubectl.shell(NAMESPACE, pod, scripts.ACCEPT_WRITES)
    except OpsError as error:
        # A redis that was already stopped accepts writes when it starts.
        console.print(f"redis: {error}")
    deployments.start(cluster, WORKER)
