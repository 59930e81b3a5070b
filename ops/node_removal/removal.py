"""Removes a node in steps, because the engine would change the firewall and the policies before it deletes anything.

k3s removes the etcd member of a Node that is deleted (pkg/etcd/member_controller.go), and a removed server that still
runs joins again (the tombstone in pkg/etcd/etcd.go). The server is therefore powered off before its Node is deleted.
"""

from collections.abc import Collection

import hcloud
from rich.console import Console

from infra import hetzner
from ops.engine.stack import read_settings
from ops.engine.update import apply
from ops.errors import OpsError
from ops.kubectl import Kubectl, kubectl_for
from ops.kubernetes import kubeconfig_and_context
from ops.node_removal.planned import Removal
from ops.resize.server import drain

DELETE_TIMEOUT = "5m"

console = Console(soft_wrap=True, highlight=False)


def remove_node(stack: str, removal: Removal, *, refresh: bool, allow_delete: Collection[str]) -> int:
    """Apply the plan except for its last steps: the firewall, the network policies and the address of the node.

    Returns the exit code of `pulumi up`. Raises an OpsError if the node cannot be drained or deleted. A second `up`
    continues.
    """
    settings = read_settings(stack)
    client = hetzner.client(str(settings["hetznerToken"]))
    with kubectl_for(*kubeconfig_and_context(stack, settings)) as kubectl:
        ready = _is_ready(kubectl, removal)
    # Everything else, and so its records: no request reaches the node afterwards.
    status = apply(stack, refresh=refresh, allow_delete=allow_delete, exclude=[removal.urn, *removal.network])
    if status != 0:
        return status
    # Read again: the kubeconfig of a bootstrapped cluster names a server that stays from now on.
    with kubectl_for(*kubeconfig_and_context(stack, settings)) as kubectl:
        if ready:
            drain(kubectl, removal.node)
        else:
            # The kubelet cannot end its pods. They start on other nodes when the Node is deleted.
            console.print(f"Node {removal.node} is not Ready, so it is not drained.")
        _power_off(client, removal)
        _delete_node(kubectl, removal)
    return apply(stack, allow_delete=allow_delete, exclude=removal.network)


def _is_ready(kubectl: Kubectl, removal: Removal) -> bool:
    conditions = kubectl.ready_conditions()
    if not conditions:
        raise OpsError("the API server does not list the nodes, so none can be drained. Nothing was changed")
    return conditions.get(removal.node, {}).get("status") == "True"


def _power_off(client: hcloud.Client, removal: Removal) -> None:
    print(f"Powering off server {removal.node}", flush=True)
    try:
        server = client.servers.get_by_id(removal.id)
        if server.status != server.STATUS_OFF:
            server.power_off().wait_until_finished()
    except hetzner.ERRORS as error:
        if isinstance(error, hcloud.APIException) and error.code == "not_found":
            return
        raise OpsError(f"server {removal.node} could not be powered off: {error}. Run the same command again") from None


def _delete_node(kubectl: Kubectl, removal: Removal) -> None:
    # kubectl waits until k3s has removed the member and then its finalizer.
    if not kubectl.run("delete", "node", removal.node, "--ignore-not-found", f"--timeout={DELETE_TIMEOUT}"):
        raise OpsError(
            f"Node {removal.node} was not deleted, as shown above. Its server is off and still exists. Look for "
            "`managed-etcd-controller` in `journalctl -u k3s` on another server, then run the same command again"
        )
