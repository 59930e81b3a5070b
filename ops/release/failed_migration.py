"""The migration that a release ended with: which Job it was, why it failed, and what it said."""

from dataclasses import dataclass

from pydantic import JsonValue

from ops import engine
from ops.adoption.findings import dig
from ops.guardrails.rules import MIGRATION
from ops.kubernetes import Cluster, Object

JOB_OF_A_POD = "batch.kubernetes.io/job-name"
LINES = 100
"""Of the log's end: goose tells one line a migration, and its error last."""


@dataclass(frozen=True, kw_only=True)
class FailedMigration:
    """`log` is None where the pod is gone: a Job that is ended by its deadline takes its pod along."""

    job: str
    reason: str
    log: str | None


def find(stack: str) -> FailedMigration | None:
    """The stack's migration, if it failed."""
    job = next((one for one in engine.held(stack) if one.short == MIGRATION), None)
    name, namespace = (str(dig(job.inputs, "metadata", key)) if job else "" for key in ("name", "namespace"))
    with engine.cluster(stack, engine.settings(stack)) as cluster:
        live = cluster.get("batch/v1", "Job", namespace, name) if job else None
        reason = _failure(live) if live else None
        return FailedMigration(job=name, reason=reason, log=_log(cluster, namespace, name)) if reason else None


def _failure(job: Object) -> str | None:
    conditions: list[dict[str, JsonValue]] = job.get("status", {}).get("conditions") or []
    failed = next((one for one in conditions if one["type"] == "Failed" and one["status"] == "True"), None)
    return f"{failed.get('reason')}: {failed.get('message')}" if failed else None


def _log(cluster: Cluster, namespace: str, job: str) -> str | None:
    pods = [
        one
        for one in cluster.list("v1", "Pod", namespace)
        if one["metadata"].get("labels", {}).get(JOB_OF_A_POD) == job
    ]
    newest = max(pods, key=lambda one: str(one["metadata"]["creationTimestamp"]), default=None)
    return cluster.log(namespace, newest["metadata"]["name"], lines=LINES) if newest else None
