"""Waits for the rollout of an updated Deployment, because the Kubernetes provider may return before it is complete.

What the provider watches can still be the previous generation, whose rollout is complete, or an old pod that the
strategy Recreate has not stopped yet (provider/pkg/await/deployment.go of pulumi-kubernetes 4.25.0). What depends on
the rollout would then change while the old pods serve, and `up` would succeed although no new pod starts.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment

from infra.cluster.provider import Cluster
from infra.cluster.waiting import wait_for

ROLLOUT_SECONDS = 10 * 60
"""Longer than the progress deadline of every Deployment, after which Kubernetes reports a failed rollout."""
RETRY_SECONDS = 1
REQUEST_TIMEOUT_SECONDS = 10
COMPLETE, DEADLINE_EXCEEDED = "NewReplicaSetAvailable", "ProgressDeadlineExceeded"
"""Reasons of the condition Progressing. The first one stays when pods of a complete rollout become unavailable."""


class IncompleteRolloutError(Exception):
    """Why a rollout is not complete yet. The caller retries until it is."""


class FailedRolloutError(pulumi.RunError):
    """Why a rollout does not complete. The engine prints the message and ends the update."""


def rolled_out(deployment: Deployment, *, cluster: Cluster) -> pulumi.Input[Deployment]:
    """The Deployment, when its rollout is complete. What depends on the rollout depends on this value.

    Nothing is requested if the provider returned a status of the new pods. Not in a resource hook: after Ctrl-C, the
    engine would wait for the end of the hook.
    """
    if pulumi.runtime.is_dry_run():
        return deployment

    async def wait(values: Sequence[Mapping[str, Any]]) -> Deployment:
        metadata, status = values
        if not _is_complete(metadata, status):
            kubeconfig = await cluster.kubeconfig.future() or ""
            await wait_for_rollout(
                metadata["namespace"], metadata["name"], kubeconfig=kubeconfig, context=cluster.context
            )
        return deployment

    return pulumi.Output.all(deployment.metadata, deployment.status).apply(wait)


def _is_complete(metadata: Mapping[str, Any], status: Mapping[str, Any] | None) -> bool:
    """Whether the provider returned a status of the new pods. It returns the previous status if it did not wait."""
    if not status:
        return True
    observed, updated = status.get("observed_generation"), status.get("updated_replicas")
    return bool(observed == metadata.get("generation") and updated == status.get("replicas"))


async def wait_for_rollout(namespace: str, name: str, *, kubeconfig: str, context: str) -> None:
    """Returns when the rollout is complete. Raises a FailedRolloutError that names the commands for a diagnosis."""
    try:
        await wait_for(
            partial(check_rollout, namespace, name, kubeconfig=kubeconfig, context=context),
            retry_on=IncompleteRolloutError,
            seconds=ROLLOUT_SECONDS,
            interval=RETRY_SECONDS,
            message=f"Waiting for the rollout of Deployment {namespace}/{name}",
        )
    except (IncompleteRolloutError, FailedRolloutError) as error:
        raise FailedRolloutError(
            f"the rollout of Deployment {namespace}/{name} is not complete: {error}. Check "
            f"`kubectl -n {namespace} rollout status deployment {name}` and `kubectl -n {namespace} get pods`. "
            "Then run make up again"
        ) from None


def check_rollout(namespace: str, name: str, *, kubeconfig: str, context: str) -> None:
    """Raises an IncompleteRolloutError unless the rollout is complete, and a FailedRolloutError if it never will be.

    A pod that becomes unavailable later does not matter: after the loss of a node, an update of something else must
    not wait for it. Source: "Complete Deployment" in https://kubernetes.io/docs/concepts/workloads/controllers/deployment/.
    """
    # Imported here, because most runs update no Deployment, and the client is slow to import.
    from kubernetes import client  # noqa: PLC0415

    from infra.kubernetes_client import DENIED, REQUEST_ERRORS, api_client, problem_of  # noqa: PLC0415

    apps_api: Any = client.AppsV1Api  # the client has no types
    try:
        deployment = apps_api(api_client(kubeconfig, context)).read_namespaced_deployment(
            name, namespace, _request_timeout=REQUEST_TIMEOUT_SECONDS
        )
    except REQUEST_ERRORS as error:
        denied = getattr(error, "status", None) in DENIED
        raise (FailedRolloutError if denied else IncompleteRolloutError)(problem_of(error)) from None
    status, desired = deployment.status, deployment.spec.replicas
    if (status.observed_generation or 0) < deployment.metadata.generation:
        raise IncompleteRolloutError("the Deployment controller has not observed the change")
    progress = next((item for item in status.conditions or [] if item.type == "Progressing"), None)
    if progress and progress.reason == DEADLINE_EXCEEDED:
        raise FailedRolloutError(progress.message)
    replicas, updated = status.replicas or 0, status.updated_replicas or 0
    if updated < desired:
        raise IncompleteRolloutError(f"{updated} of {desired} new pods exist")
    if replicas > updated:
        raise IncompleteRolloutError(f"{replicas} pods exist, and {updated} of them are new")
    if progress is None or progress.reason != COMPLETE:
        raise IncompleteRolloutError(f"{status.available_replicas or 0} of {updated} new pods are available")
