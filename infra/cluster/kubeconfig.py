"""The kubeconfig of a cluster that this program bootstrapped, with the address of a server that is ready."""

import ssl
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping

import pulumi
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from infra.kubeconfig import Credentials, inline_kubeconfig

PORT = 6443
FIRST_BOOT_SECONDS = 15 * 60
"""From the creation of a server until its API is ready. It installs updates, packages and k3s in that time."""
REQUEST_TIMEOUT_SECONDS = 3
REQUIRED_PATHS = ("/readyz", "/apis/traefik.io/v1alpha1")
"""Paths that an API server must serve before anything is created.

k3s installs the CRDs of Traefik with a Job, some time after its API is ready. A Middleware that is created earlier
fails the `up`.
"""
RETRY_SECONDS = 3


class NotReadyError(Exception):
    """No server is ready. The caller retries until one is."""


def kubeconfig_yaml(credentials: Credentials, *, addresses: Mapping[str, str], context: str) -> str:
    """A kubeconfig for a server that is ready, with inline certificates. Raises a RunError when no server is ready."""
    server = f"https://{wait_for_server(addresses, credentials)}:{PORT}"
    return inline_kubeconfig(credentials, server=server, context=context)


def first_ready(addresses: Mapping[str, str], credentials: Credentials) -> str:
    """The first of the addresses (by alias) whose API server is ready. Raises NotReadyError when none is.

    Not always the first address, because a preview must work while that node is down or being replaced.
    """
    for address in addresses.values():
        if _is_ready(address, credentials):
            return address
    raise NotReadyError


def _is_ready(address: str, credentials: Credentials) -> bool:
    context = ssl.create_default_context(cadata=credentials.ca_certificate)
    # Python only loads a client certificate from a file. Only this user can read the file, and it is deleted
    # immediately.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as client:
        client.write(credentials.client_certificate + credentials.client_key)
        client.flush()
        context.load_cert_chain(client.name)
    try:
        for path in REQUIRED_PATHS:
            url = f"https://{address}:{PORT}{path}"
            with urllib.request.urlopen(url, context=context, timeout=REQUEST_TIMEOUT_SECONDS):
                pass
    except (urllib.error.URLError, OSError):
        return False
    return True


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
            "and for Traefik `k3s kubectl -n kube-system get jobs` (docs/nodes.md). Then run `pulumi up` again."
        ) from None
