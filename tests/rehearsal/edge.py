"""Whoever connects to the origin: one of Cloudflare's servers, with the certificate the stack gave it, or somebody else."""

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
INSIDE, OUTSIDE = "127.0.0.2", "127.0.0.3"
"""Where a connection comes from: a range that the test adds to Cloudflare's, and an address beside it."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back, and the certificate that was shown for it."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    certificate: Mapping[str, Any]

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def seen(self) -> dict[str, Any]:
        """The request as the pod got it."""
        seen: dict[str, Any] = json.loads(self.body)
        return seen


def origin_authority(world: World) -> str:
    """Cloudflare's Origin CA, which Full (strict) checks the origin with."""
    certificate: str = json.loads((world.layout.clouds / "cloudflare.json").read_text())["internal"]["origin_ca"][
        "certificate"
    ]
    return certificate


def uploaded_certificate(world: World, folder: Path) -> Path:
    """Certificate and key that the stack uploaded to Cloudflare, in one file."""
    state = json.loads(world.pulumi("stack", "export", "--show-secrets").stdout)
    (uploaded,) = (one["inputs"] for one in state["deployment"]["resources"] if one["type"] == UPLOADED)
    file = folder / "cloudflare.pem"
    file.touch(mode=0o600)
    file.write_text(uploaded["certificate"] + json.loads(uploaded["privateKey"]["plaintext"]))
    return file


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Connects from one address with one certificate, or none, and checks what it is shown as Full (strict) does."""

    port: int
    trusts: str
    certificate: Path | None
    address: str = LOOPBACK
    source: str = INSIDE
    versions: tuple[ssl.TLSVersion, ssl.TLSVersion] = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    headers: Mapping[str, str] = field(default_factory=dict)

    def connect(self, host: str) -> "Connection":
        return Connection(self, host)

    def get(self, host: str, path: str = "/", **headers: str) -> Answer:
        """One request on a connection of its own. Keywords are headers, `_` for `-`."""
        with self.connect(host) as connection:
            return connection.get(path, **headers)


class Connection(http.client.HTTPSConnection):
    """A kept-alive connection to the origin in the name of a host."""

    def __init__(self, caller: Caller, host: str) -> None:
        trust = ssl.create_default_context(cadata=caller.trusts)
        trust.minimum_version, trust.maximum_version = caller.versions
        if trust.minimum_version < ssl.TLSVersion.TLSv1_2:
            # OpenSSL itself refuses older versions otherwise.
            trust.set_ciphers("DEFAULT:@SECLEVEL=0")
        if caller.certificate is not None:
            trust.load_cert_chain(caller.certificate)
        super().__init__(host, timeout=10, context=trust)
        self._trust = trust
        self._caller = caller

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self) -> None:
        """To the caller's address, whatever the host's name says."""
        raw = socket.create_connection(
            (self._caller.address, self._caller.port), timeout=10, source_address=(self._caller.source, 0)
        )
        self.sock = self._trust.wrap_socket(raw, server_hostname=self.host)

    def get(self, path: str = "/", **headers: str) -> Answer:
        given = {**self._caller.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        self.request("GET", path, headers=given)
        certificate = self.sock.getpeercert() or {}
        reply = self.getresponse()
        return Answer(status=reply.status, headers=reply.getheaders(), body=reply.read(), certificate=certificate)
