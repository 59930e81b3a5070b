"""The hook that creates the records of a node only when the node serves: it is Ready, and so is its Traefik pod.

The Kubernetes API is asked, because port 443 of a node is only open to Cloudflare.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

import pulumi

from infra.cluster.provider import Cluster
from infra.cluster.traefik import TRAEFIK
from infra.cluster.waiting import wait_for
from infra.names import KUBE_SYSTEM
from infra.settings.topology import Node

FIRST_BOOT_SECONDS = 15 * 60
"""From the first request until Traefik runs. A server installs updates, packages and k3s on its first boot."""
RETRY_SECONDS = 3
REQUEST_TIMEOUT_SECONDS = 10
TRAEFIK_PODS = f"app.kubernetes.io/name={TRAEFIK}"
"""The label that Traefik's chart sets."""
NOT_FOUND = 404


class NotServingError(Exception):
    """Why a node does not serve yet. The caller retries until it does."""


class RefusedRecordError(Exception):
    """Why the records of a node are not created. The engine prints the message."""


def serving_hooks(nodes: Mapping[str, Node], cluster: Cluster) -> Mapping[str, pulumi.ResourceHookBinding]:
    """The hook of each alias for the records of its node.

    The engine runs it before it creates a record, and neither in a preview nor for a record that exists. A plan without
    new records therefore waits for nothing, even when a node is down.
    """
    return {alias: _hook(alias, node.hostname, cluster) for alias, node in nodes.items()}


def _hook(alias: str, hostname: str, cluster: Cluster) -> pulumi.ResourceHookBinding:
    # All records of a node wait for the same result.
    waiting: list[asyncio.Task[None]] = []

    async def before_create(_: pulumi.ResourceHookArgs) -> None:
        if not waiting:
            waiting.append(asyncio.create_task(wait()))
        await waiting[0]

    async def wait() -> None:
        await wait_until_serving(hostname, kubeconfig=await cluster.kubeconfig.future() or "", context=cluster.context)

    hook = pulumi.ResourceHook(f"node-serves-{alias}", before_create)
    return pulumi.ResourceHookBinding(before_create=[hook])


async def wait_until_serving(hostname: str, *, kubeconfig: str, context: str) -> None:
    """Returns when the node serves. Raises a RefusedRecordError that names the commands for further diagnosis."""
    try:
        await wait_for(
            partial(check_serving, hostname, kubeconfig=kubeconfig, context=context),
            retry_on=NotServingError,
            seconds=FIRST_BOOT_SECONDS,
            interval=RETRY_SECONDS,
            message=f"Waiting for node {hostname}, before its DNS records are created",
        )
    except NotServingError as error:
        raise RefusedRecordError(
            f"node {hostname} does not serve after {FIRST_BOOT_SECONDS // 60} minutes: {error}. Its server exists, and "
            f"no DNS record was created for it. Check `kubectl describe node {hostname}` and "
            f"`kubectl -n {KUBE_SYSTEM} get pods -o wide -l {TRAEFIK_PODS}`, and on the server "
            "`cloud-init status --long` and `journalctl -u k3s` (docs/nodes.md). Then run make up again"
        ) from None


def check_serving(hostname: str, *, kubeconfig: str, context: str) -> None:
    """Raises a NotServingError unless the node and a Traefik pod on it are Ready.

    Raises a RefusedRecordError if the account may not read them.
    """
    # Imported here, because most runs create no record, and the client is slow to import.
    from kubernetes import client  # noqa: PLC0415

    from infra.kubernetes_client import DENIED, REQUEST_ERRORS, api_client, problem_of  # noqa: PLC0415

    core_api: Any = client.CoreV1Api  # the client has no types
    api = core_api(api_client(kubeconfig, context))
    try:
        node = api.read_node(hostname, _request_timeout=REQUEST_TIMEOUT_SECONDS)
        pods = api.list_namespaced_pod(
            KUBE_SYSTEM,
            label_selector=TRAEFIK_PODS,
            field_selector=f"spec.nodeName={hostname}",
            _request_timeout=REQUEST_TIMEOUT_SECONDS,
        ).items
    except REQUEST_ERRORS as error:
        status = getattr(error, "status", None)
        if status in DENIED:
            raise RefusedRecordError(
                f"no DNS record of node {hostname} was created: the account in honeydue:kubeconfig may not read Nodes "
                "and the pods of Traefik, use an administrator's"
            ) from None
        raise NotServingError("it has not joined" if status == NOT_FOUND else problem_of(error)) from None
    if not _is_ready(node):
        raise NotServingError("it is not Ready")
    if not any(_is_ready(pod) and pod.metadata.deletion_timestamp is None for pod in pods):
        raise NotServingError("it has no Traefik pod that is Ready")


def _is_ready(resource: Any) -> bool:  # noqa: ANN401  # the client has no types
    """Whether the condition Ready of a Node or pod is true."""
    conditions = resource.status.conditions or []
    return any((condition.type, condition.status) == ("Ready", "True") for condition in conditions)
