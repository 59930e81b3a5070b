"""The scratch server of a drill: a Job from the template of the CronJob, reached with `kubectl exec` only."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.names import NAMESPACE, RESTORE_DRILL
from ops.errors import OpsError
from ops.json_paths import dig
from ops.kubernetes import Cluster, Object
from ops.wait import wait_until

START_SECONDS, RECORD_SECONDS, DELETION_SECONDS = 300.0, 60.0, 120.0
JOB, CRON_JOB, POD = ("batch/v1", "Job"), ("batch/v1", "CronJob"), ("v1", "Pod")


def job_of(cron_job: Object, *, name: str) -> Mapping[str, Any]:
    """A Job of the CronJob, as `kubectl create job --from` creates it.

    With the owner, the controller stores the time of its success in the status of the CronJob, and deletes it.
    """
    template, metadata = cron_job["spec"]["jobTemplate"], cron_job["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": dict(template.get("metadata", {}).get("labels", {})),
            "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
            "ownerReferences": [{**owner, "controller": True}],
        },
        "spec": template["spec"],
    }


@dataclass(frozen=True, kw_only=True)
class Scratch:
    """A running scratch server. `kubeconfig` is a file, whose current context is used."""

    cluster: Cluster
    kubeconfig: Path
    context: str
    job: str
    pod: str

    def command(self, name: str) -> Sequence[str]:
        """The command line that runs a command of images/backup in the pod."""
        connection = [f"--kubeconfig={self.kubeconfig}", f"--context={self.context}", f"--namespace={NAMESPACE}"]
        return ["kubectl", *connection, "exec", "--stdin", self.pod, "--", "python3", "-m", "backup", name]

    def run(self, name: str, text: str = "") -> str:
        """Runs a command, and returns what it prints. Raises an OpsError."""
        completed = subprocess.run(self.command(name), input=text, capture_output=True, text=True, check=False)
        if completed.returncode:
            raise OpsError(completed.stderr.strip().removeprefix("backup: "))
        return completed.stdout.strip()

    def wait_for_record(self, since: datetime) -> None:
        """Waits until the CronJob has the time of this success. Raises an OpsError if it does not get it."""

        def recorded() -> bool:
            live = self.cluster.get(*CRON_JOB, NAMESPACE, RESTORE_DRILL) or {}
            last = dig(live, "status", "lastSuccessfulTime")
            return isinstance(last, str) and datetime.fromisoformat(last) >= since.replace(microsecond=0)

        if not wait_until(recorded, seconds=RECORD_SECONDS):
            raise OpsError(
                f"the drill succeeded, but CronJob {RESTORE_DRILL} did not get its time, so that the alert stays: "
                f"kubectl -n {NAMESPACE} describe cronjob {RESTORE_DRILL}"
            )


@contextmanager
def scratch_server(cluster: Cluster, kubeconfig: Path, context: str) -> Iterator[Scratch]:
    """Starts the server, and deletes it at the end of the block, also after an error or an interruption.

    If this process is killed, the deadline of the Job ends the server.
    """
    cron_job = cluster.get(*CRON_JOB, NAMESPACE, RESTORE_DRILL)
    if cron_job is None:
        raise OpsError(f"CronJob {RESTORE_DRILL} does not exist in {NAMESPACE}: run make up first")
    name = f"{RESTORE_DRILL}-{datetime.now(UTC):%Y%m%d%H%M%S}"
    try:
        cluster.create(job_of(cron_job, name=name))
        yield Scratch(
            cluster=cluster, kubeconfig=kubeconfig, context=context, job=name, pod=_running_pod(cluster, name)
        )
    finally:
        _delete(cluster, name)


def _pods(cluster: Cluster, job: str) -> Sequence[Object]:
    return [
        pod
        for pod in cluster.list(*POD, NAMESPACE)
        if dig(pod, "metadata", "labels", "batch.kubernetes.io/job-name") == job
    ]


def _running_pod(cluster: Cluster, job: str) -> str:
    running: list[str] = []

    def starts() -> bool:
        # One list for both: a pod that was evicted, or whose node was lost, is not in the next one.
        pods = _pods(cluster, job)
        if any(dig(pod, "status", "phase") == "Failed" for pod in pods):
            raise OpsError(f"the scratch server failed: kubectl -n {NAMESPACE} describe job {job}")
        running[:] = [pod["metadata"]["name"] for pod in pods if dig(pod, "status", "phase") == "Running"]
        return bool(running)

    if not wait_until(starts, seconds=START_SECONDS):
        raise OpsError(
            f"the pod of the scratch server did not start within {START_SECONDS:.0f} s: "
            f"kubectl -n {NAMESPACE} get events --sort-by=.lastTimestamp"
        )
    return running[0]


def _delete(cluster: Cluster, job: str) -> None:
    if live := cluster.get(*JOB, NAMESPACE, job):
        # By default, the API server deletes a Job without its pods.
        cluster.delete(*JOB, live, propagation="Background")
    if not wait_until(lambda: not _pods(cluster, job), seconds=DELETION_SECONDS):
        raise OpsError(
            f"the pod of the scratch server still exists, with the restored data: kubectl -n {NAMESPACE} get pods "
            f"-l batch.kubernetes.io/job-name={job}"
        )
