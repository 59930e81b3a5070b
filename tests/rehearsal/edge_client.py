"""An HTTPS client that connects to the origin as Cloudflare does, with the client certificate of the stack."""

import http.client
import json
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from rehearsal.loopback import LOOPBACK
from rehearsal.world.world import World

UPLOADED = "cloudflare:index/authenticatedOriginPullsCertificate:AuthenticatedOriginPullsCertificate"
CLOUDFLARE_ADDRESS, OTHER_ADDRESS = "127.0.0.2", "127.0.0.3"
"""Source addresses: the first is in a range that the tests add to Cloudflare's ranges, the second is not."""


@dataclass(frozen=True, kw_only=True)
class Response:
    """A response, and the server certificate of its connection."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    certificate: Mapping[str, Any]

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def received_request(self) -> dict[str, Any]:
        """The request as the pod received it. The stub pods return it in the body."""
        request: dict[str, Any] = json.loads(self.body)
        return request


def origin_ca(world: World) -> str:
    """The certificate of Cloudflare's Origin CA, which Full (strict) trusts."""
    certificate: str = json.loads((world.layout.clouds / "cloudflare.json").read_text())["private"]["origin_ca"][
        "certificate"
    ]
    return certificate


def uploaded_certificate(world: World, folder: Path) -> Path:
    """Writes the client certificate and key that the stack uploaded to Cloudflare into one file."""
    state = json.loads(world.pulumi("stack", "export", "--show-secrets").stdout)
    (uploaded,) = (resource["inputs"] for resource in state["deployment"]["resources"] if resource["type"] == UPLOADED)
    file = folder / "cloudflare.pem"
    file.touch(mode=0o600)
    file.write_text(uploaded["certificate"] + json.loads(uploaded["privateKey"]["plaintext"]))
    return file


@dataclass(frozen=True, kw_only=True)
class EdgeClient:
    """Connects from one address, with a client certificate or none, and verifies the origin as Full (strict) does."""

    port: int
    trusted_ca: str
    certificate: Path | None
    address: str = LOOPBACK
    source: str = CLOUDFLARE_ADDRESS
    versions: tuple[ssl.TLSVersion, ssl.TLSVersion] = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    headers: Mapping[str, str] = field(default_factory=dict)

    def connect(self, host: str) -> "Connection":
        return Connection(self, host)

    def get(self, host: str, path: str = "/", **headers: str) -> Response:
        """Sends a request on a new connection. Keyword arguments are headers, with `_` in place of `-`."""
        with self.connect(host) as connection:
            return connection.get(path, **headers)


class Connection(http.client.HTTPSConnection):
    """A persistent connection to the origin for one host name."""

    def __init__(self, client: EdgeClient, host: str) -> None:
        context = ssl.create_default_context(cadata=client.trusted_ca)
        context.minimum_version, context.maximum_version = client.versions
        if context.minimum_version < ssl.TLSVersion.TLSv1_2:
            # At its default security level, OpenSSL itself refuses older versions.
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        if client.certificate is not None:
            context.load_cert_chain(client.certificate)
        super().__init__(host, timeout=10, context=context)
        self._context = context
        self._client = client

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self) -> None:
        """Connects to the address of the client's settings, without resolving the host name."""
        raw = socket.create_connection(
            (self._client.address, self._client.port), timeout=10, source_address=(self._client.source, 0)
        )
        self.sock = self._context.wrap_socket(raw, server_hostname=self.host)

    def get(self, path: str = "/", **headers: str) -> Response:
        all_headers = {**self._client.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        self.request("GET", path, headers=all_headers)
        certificate = self.sock.getpeercert() or {}
        response = self.getresponse()
        return Response(
            status=response.status, headers=response.getheaders(), body=response.read(), certificate=certificate
        )
