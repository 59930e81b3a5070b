"""The kubeconfig of a cluster that this program bootstrapped, with the address of a server that is ready."""

from collections.abc import Mapping

import pulumi
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from infra.kubeconfig import PORT, Credentials, NotReadyError, first_ready, inline_kubeconfig

FIRST_BOOT_SECONDS = 15 * 60
"""From the creation of a server until its API is ready. It installs updates, packages and k3s in that time."""
RETRY_SECONDS = 3


def kubeconfig_yaml(credentials: Credentials, *, addresses: Mapping[str, str], context: str) -> str:
    """A kubeconfig for a server that is ready, with inline certificates. Raises a RunError when no server is ready."""
    server = f"https://{wait_for_server(addresses, credentials)}:{PORT}"
    return inline_kubeconfig(credentials, server=server, context=context)


def wait_for_server(addresses: Mapping[str, str], credentials: Credentials) -> str:
    """The address of the first server that is ready. An `up` waits for it; a preview takes any address.

    Raises a RunError that names the commands for further diagnosis.
    """
    try:
        return first_ready(addresses, credentials)
    except NotReadyError:
        if pulumi.runtime.is_dry_run():
            return next(iter(addresses.values()))
    pulumi.log.info(f"Waiting for Kubernetes on {', '.join(addresses)}. The first boot of a server takes some minutes.")
    retrying = Retrying(
        retry=retry_if_exception_type(NotReadyError),
        stop=stop_after_delay(FIRST_BOOT_SECONDS),
        wait=wait_fixed(RETRY_SECONDS),
    )
    try:
        return retrying(first_ready, addresses, credentials)
    except RetryError:
        servers = ", ".join(f"{alias} ({address})" for alias, address in addresses.items())
        raise pulumi.RunError(
            f"The Kubernetes API is not ready on any server after {FIRST_BOOT_SECONDS // 60} minutes: {servers}. "
            "The servers exist; nothing in the cluster was changed. "
            "Check that honeydue:access.operators allows your address to reach port 6443. "
            "On a server, check `cloud-init status --long` and `journalctl -u k3s`, "
            "and for Traefik `k3s kubectl -n kube-system get jobs` (docs/nodes.md). Then run `make up` again."
        ) from None
