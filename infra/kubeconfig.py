"""Writes a kubeconfig for the first server that is ready, and reads when the certificate of one expires.

Does not import Pulumi, so that commands can use it without loading the SDK.
"""

import base64
import ssl
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import yaml

PORT = 6443
REQUEST_TIMEOUT_SECONDS = 3
REQUIRED_PATHS = ("/readyz", "/apis/traefik.io/v1alpha1")
"""Paths that an API server must serve before anything is created.

k3s installs the CRDs of Traefik with a Job, some time after its API is ready. A Middleware that is created earlier
fails the `up`.
"""


class NotReadyError(Exception):
    """No server is ready."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The CA of the API server and a client certificate, in PEM format."""

    ca_certificate: str
    client_certificate: str
    client_key: str


def client_certificate_expiry(kubeconfig: str, context: str) -> datetime | None:
    """When the client certificate of a context expires. None if its user has a token or a file instead.

    Raises a ValueError, whose message does not contain the kubeconfig, if that cannot be read.
    """
    # Loading it takes longer than the rest of the module.
    from cryptography import x509  # noqa: PLC0415

    try:
        content = yaml.safe_load(kubeconfig)
        user = next(item["context"]["user"] for item in content["contexts"] if item["name"] == context)
        account = next(item["user"] for item in content["users"] if item["name"] == user)
        data = account.get("client-certificate-data")
        # k3s appends its CA to the certificate of the client.
        certificate = x509.load_pem_x509_certificate(base64.b64decode(data)) if data else None
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError, StopIteration):
        raise ValueError(f"it has no readable certificate in context {context}") from None
    return certificate.not_valid_after_utc if certificate else None


def inline_kubeconfig(credentials: Credentials, *, server: str, context: str) -> str:
    """A kubeconfig in YAML with inline certificates. Its cluster, user and context all have the name `context`."""

    def encode(pem: str) -> str:
        return base64.b64encode(pem.encode()).decode()

    cluster = {"server": server, "certificate-authority-data": encode(credentials.ca_certificate)}
    user = {
        "client-certificate-data": encode(credentials.client_certificate),
        "client-key-data": encode(credentials.client_key),
    }
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


def credentials_of(kubeconfig: str) -> Credentials:
    """The credentials of a kubeconfig that `inline_kubeconfig` wrote."""

    def decode(data: str) -> str:
        return base64.b64decode(data).decode()

    document = yaml.safe_load(kubeconfig)
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    return Credentials(
        ca_certificate=decode(cluster["certificate-authority-data"]),
        client_certificate=decode(user["client-certificate-data"]),
        client_key=decode(user["client-key-data"]),
    )


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
