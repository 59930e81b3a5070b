"""The kubeconfig of a cluster that was founded here, and where its API answers."""

import base64
import ssl
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import yaml
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

PORT = 6443
FIRST_BOOT_SECONDS = 15 * 60
"""From a new server to an API that answers: updates, packages and k3s itself are downloaded in that time."""
ANSWER_SECONDS = 3
ASKED = ("/readyz", "/apis/traefik.io/v1alpha1")
"""What an API must serve before anything is created. k3s installs Traefik's definitions by a Job, some time after its API is ready: a
middleware that comes before them fails the whole `up`."""
PAUSE_SECONDS = 3


@dataclass(frozen=True, kw_only=True)
class Administrator:
    """Who asks, and whom to believe; PEM."""

    authority: str
    certificate: str
    key: str


class SilentError(Exception):
    """No server answers; asked again until one does."""


def written(administrator: Administrator, *, addresses: Mapping[str, str], context: str) -> str:
    """A kubeconfig with everything inline, for the server that answers; RunError when none does."""

    def inline(pem: str) -> str:
        return base64.b64encode(pem.encode()).decode()

    cluster = {
        "server": f"https://{reachable(addresses, administrator)}:{PORT}",
        "certificate-authority-data": inline(administrator.authority),
    }
    user = {"client-certificate-data": inline(administrator.certificate), "client-key-data": inline(administrator.key)}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": context, "cluster": cluster}],
            "users": [{"name": context, "user": user}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
            "current-context": context,
        },
        sort_keys=False,
    )


def first_ready(addresses: Mapping[str, str], administrator: Administrator) -> str:
    """The first of the addresses, by alias, whose API server serves all that is asked for; raises SilentError when none does.

    The first and not always the same: a preview must work while the node of the first is down, or being replaced.
    """
    for address in addresses.values():
        if _is_ready(address, administrator):
            return address
    raise SilentError


def _is_ready(address: str, administrator: Administrator) -> bool:
    trust = ssl.create_default_context(cadata=administrator.authority)
    # From a file alone, says Python; it is ours to read, and gone at once.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as client:
        client.write(administrator.certificate + administrator.key)
        client.flush()
        trust.load_cert_chain(client.name)
    try:
        for path in ASKED:
            with urllib.request.urlopen(f"https://{address}:{PORT}{path}", context=trust, timeout=ANSWER_SECONDS):
                pass
    except (urllib.error.URLError, OSError):
        return False
    return True


def reachable(addresses: Mapping[str, str], administrator: Administrator) -> str:
    """The address to speak to: of the first server that is ready. An `up` waits for one; a preview takes what there is.

    Raises a RunError that says what to look at.
    """
    try:
        return first_ready(addresses, administrator)
    except SilentError:
        if pulumi.runtime.is_dry_run():
            return next(iter(addresses.values()))
    pulumi.log.info(
        f"Waiting for Kubernetes on {', '.join(addresses)}; a new server takes some minutes to its first answer."
    )
    patiently = Retrying(
        retry=retry_if_exception_type(SilentError),
        stop=stop_after_delay(FIRST_BOOT_SECONDS),
        wait=wait_fixed(PAUSE_SECONDS),
    )
    try:
        return patiently(first_ready, addresses, administrator)
    except RetryError:
        told = ", ".join(f"{alias} ({address})" for alias, address in addresses.items())
        raise pulumi.RunError(
            f"Kubernetes answers on no server after {FIRST_BOOT_SECONDS // 60} minutes: {told}. The servers stand; nothing of the cluster "
            "was changed. Does honeydue:access.operators let you reach port 6443? On a server: `cloud-init status --long` and "
            "`journalctl -u k3s`, and `k3s kubectl -n kube-system get jobs` for Traefik (docs/nodes.md). Then `pulumi up` again."
        ) from None
