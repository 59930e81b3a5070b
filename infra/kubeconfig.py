"""Writes a kubeconfig. Does not import Pulumi, so that commands can use it without loading the SDK."""

import base64
from dataclasses import dataclass

import yaml


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The CA of the API server and a client certificate, in PEM format."""

    ca_certificate: str
    client_certificate: str
    client_key: str


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
