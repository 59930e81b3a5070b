"""The migration Job that made a release fail: its name, the reason, and its log."""

from dataclasses import dataclass

from ops import kubernetes
from ops.conditions import condition
from ops.engine.stack import read_settings, state_resources
from ops.guardrails.rules import MIGRATION
from ops.json_paths import dig
from ops.kubernetes import Cluster, Object

JOB_NAME_LABEL = "batch.kubernetes.io/job-name"
LOG_LINES = 100
"""Lines at the end of the log. goose prints one line for each migration, and its error last."""


@dataclass(frozen=True, kw_only=True)
class FailedMigration:
    """A failed migration Job. `log` is None if its pod is deleted, as after the Job's deadline."""

    job: str
    reason: str
    log: str | None


def find_failed_migration(stack: str) -> FailedMigration | None:
    """The stack's migration Job, if it failed."""
    job = next((state for state in state_resources(stack) if state.short == MIGRATION), None)
    if job is None:
        return None
    name, namespace = (str(dig(job.inputs, "metadata", key)) for key in ("name", "namespace"))
    with kubernetes.connect(stack, read_settings(stack)) as cluster:
        live = cluster.get("batch/v1", "Job", namespace, name)
        reason = _failure(live) if live else None
        return FailedMigration(job=name, reason=reason, log=_log(cluster, namespace, name)) if reason else None


def _failure(job: Object) -> str | None:
    failed = condition(job, "Failed")
    return f"{failed.get('reason')}: {failed.get('message')}" if failed.get("status") == "True" else None


def _log(cluster: Cluster, namespace: str, job: str) -> str | None:
    pods = [
        pod
        for pod in cluster.list("v1", "Pod", namespace)
        if pod["metadata"].get("labels", {}).get(JOB_NAME_LABEL) == job
    ]
    newest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default=None)
    return cluster.log(namespace, newest["metadata"]["name"], lines=LOG_LINES) if newest else None
