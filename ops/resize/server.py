"""Resizes a server: drains its node first, and powers the server on again whatever the provider's result is.

Hetzner changes the type of a server only while the server is off. The provider cuts its power, and leaves it off if
Hetzner refuses the type, for example because it is sold out (terraform-provider-hcloud, internal/server/resource.go).
"""

from collections.abc import Mapping

import hcloud
from rich.console import Console
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from infra import hetzner
from ops.engine.stack import read_settings
from ops.engine.update import apply
from ops.errors import OpsError
from ops.kubectl import Kubectl, kubectl_for
from ops.kubernetes import kubeconfig_and_context
from ops.resize.planned import Resize

DRAIN_TIMEOUT = "10m"
POWER_ON_SECONDS = 300.0
READY_SECONDS = 900.0
POLL_SECONDS = 2.0

console = Console(soft_wrap=True, highlight=False)


def resize_server(stack: str, resize: Resize, *, refresh: bool) -> int:
    """Apply only the resize, and return the exit code of `pulumi up`.

    Raises an OpsError if the drain fails, before anything is changed, or if the server does not return to service. The
    plan was checked before: etcd keeps its quorum without this server (ops/guardrails/quorum.py).
    """
    settings = read_settings(stack)
    client = hetzner.client(str(settings["hetznerToken"]))
    with kubectl_for(*kubeconfig_and_context(stack, settings)) as kubectl:
        drain(kubectl, resize.node)
        status = 1
        try:
            status = apply(stack, refresh=refresh, only=resize.urn)
        finally:
            _return_to_service(client, kubectl, resize)
    if status != 0:
        console.print(
            f"The resize failed as shown above. Server {resize.node} runs again. Nothing else was applied. Set another "
            "serverType in honeydue:nodes, or try again later."
        )
    return status


class _NotYetError(Exception):
    """The server or its node is not in service yet."""


def drain(kubectl: Kubectl, node: str) -> None:
    """Drain a node. Raises an OpsError if that fails, after the node takes pods again."""
    flags = ("--ignore-daemonsets", "--delete-emptydir-data", f"--timeout={DRAIN_TIMEOUT}")
    drained = False
    try:
        drained = kubectl.run("drain", node, *flags)
    finally:
        # Also after Ctrl-C.
        if not drained:
            kubectl.run("uncordon", node)
    if not drained:
        raise OpsError(
            f"node {node} could not be drained, as shown above. Its server was not changed, and the node takes pods "
            "again"
        )


def _return_to_service(client: hcloud.Client, kubectl: Kubectl, resize: Resize) -> None:
    before = kubectl.ready_conditions().get(resize.node, {})
    print(f"Powering on server {resize.node}, unless it runs", flush=True)
    _power_on(client, resize)
    print(
        f"Waiting until node {resize.node} is Ready. After an interruption: kubectl uncordon {resize.node}", flush=True
    )
    try:
        _retrying(READY_SECONDS)(_uncordon_when_ready, kubectl, resize, before)
    except RetryError:
        raise OpsError(
            f"server {resize.node} was powered on, but its node is not Ready after {READY_SECONDS / 60:.0f} minutes: "
            f"docs/nodes.md explains how to inspect it. When it is Ready: kubectl uncordon {resize.node}"
        ) from None


def _uncordon_when_ready(kubectl: Kubectl, resize: Resize, before: Mapping[str, str]) -> None:
    now = kubectl.ready_conditions().get(resize.node, {})
    # The report is from before the power was cut until the kubelet has started again.
    reported = now.get("lastHeartbeatTime") != before.get("lastHeartbeatTime")
    if not (reported and now.get("status") == "True" and kubectl.run("uncordon", resize.node)):
        raise _NotYetError


def _power_on(client: hcloud.Client, resize: Resize) -> None:
    """Retried, because Hetzner refuses it while the type is still being changed, after an interruption."""
    try:
        _retrying(POWER_ON_SECONDS)(_ensure_running, client, resize)
    except RetryError as error:
        raise OpsError(
            f"server {resize.node} does not run ({error.last_attempt.exception()}). Power it on in Hetzner's console, "
            f"or with hcloud server poweron {resize.node}. When the node is Ready: kubectl uncordon {resize.node}"
        ) from None


def _ensure_running(client: hcloud.Client, resize: Resize) -> None:
    server = client.servers.get_by_id(resize.id)
    if server.status == server.STATUS_OFF:
        server.power_on().wait_until_finished()
        server = client.servers.get_by_id(resize.id)
    if server.status != server.STATUS_RUNNING:
        raise _NotYetError(f"its status is {server.status}")


def _retrying(seconds: float) -> Retrying:
    return Retrying(
        retry=retry_if_exception_type((_NotYetError, *hetzner.ERRORS)),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(POLL_SECONDS),
    )
