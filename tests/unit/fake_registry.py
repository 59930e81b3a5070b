"""A registry on loopback, which `ops` asks for our images while the context lasts."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from pydantic import JsonValue

from ops.registry.client import ENDPOINT
from rehearsal.clouds import app
from rehearsal.clouds.account import Account, Token, write_account
from rehearsal.clouds.registry import NAME, config_of, digest_of, manifest_of
from rehearsal.images.push import Repository

OWNER = "owner"
REGISTRY = f"registry.example.com/{OWNER}"
USERNAME, PASSWORD = "puller", "registry-token"
SETTINGS: dict[str, JsonValue] = {
    "images": {"registry": REGISTRY},
    "registryUsername": USERNAME,
    "registryPassword": PASSWORD,
}
"""The settings of a stack that lead to the registry."""
STORED: Mapping[str, Mapping[str, object]] = {
    f"honeydue:{key}": {"value": value} if isinstance(value, str) else {"objectValue": value}
    for key, value in SETTINGS.items()
}
"""The same in the output of `pulumi config --json`."""


@dataclass(frozen=True, kw_only=True)
class FakeRegistry:
    """The running registry."""

    url: str
    folder: Path

    def repository(self, app_name: str) -> Repository:
        """The repository of an app, to push to it."""
        return Repository(url=self.url, name=f"{OWNER}/honeydue-{app_name}", username=USERNAME, password=PASSWORD)


@contextmanager
def fake_registry(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    """Serves the simulated registry of rehearsals, in which every tag exists."""
    write_account(folder, Account(tokens=[Token(NAME, PASSWORD, ("pull", "push"))]))
    server = app.serve(folder)
    url = f"http://127.0.0.1:{server.port}"
    monkeypatch.setenv(ENDPOINT, url)
    try:
        yield FakeRegistry(url=url, folder=folder)
    finally:
        server.shutdown()
        server.server_close()


def digest(app_name: str, tag: str) -> str:
    """The digest of an image that was not pushed."""
    return digest_of(manifest_of(config_of(f"{OWNER}/honeydue-{app_name}:{tag}", {})))


def pinned(app_name: str, tag: str) -> str:
    """The setting of an image that was not pushed."""
    return f"{tag}@{digest(app_name, tag)}"


def public_key(key: EllipticCurvePrivateKey) -> str:
    """The content of cosign.pub."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
