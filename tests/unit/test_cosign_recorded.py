"""Signatures that the cosign program wrote to a registry, byte for byte.

tests/unit/recorded/cosign.json contains the versions, the commands, and the registry's content afterwards.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.registry.client import Login, Registry
from ops.registry.cosign import SignatureError, load_key, verify
from rehearsal.clouds.registry import MANIFEST
from rehearsal.images.push import Repository
from tests.unit.fake_registry import PASSWORD, USERNAME, fake_registry

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "recorded" / "cosign.json").read_text())


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry with the recorded content."""
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        fake_registry(tmp_path_factory.mktemp("registry"), monkeypatch) as server,
    ):
        repository = Repository(url=server.url, name=RECORDED["name"], username=USERNAME, password=PASSWORD)
        restore(repository)
        yield Registry("registry.example.com", login=Login(username=USERNAME, password=PASSWORD), url=server.url)


def restore(repository: Repository) -> None:
    """Pushes the recorded blobs and manifests."""
    for blob in RECORDED["blobs"].values():
        repository.push_blob(blob.encode())
    # A manifest after those that it lists, as real registries require.
    for reference, manifest in sorted(RECORDED["manifests"].items(), key=lambda item: "manifests" in item[1]):
        repository.push_manifest(reference, manifest.encode(), json.loads(manifest).get("mediaType", MANIFEST))


@pytest.mark.parametrize("image", ["bundle", "tag", "both", "two-bundles", "two-tags"])
def test_an_image_that_our_key_signed_is_valid(registry: Registry, image: str) -> None:
    verify(registry, RECORDED["name"], RECORDED["digests"][image], load_key(RECORDED["publicKey"]))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("unsigned", "is not signed"),
        ("attested", "is not signed"),
        ("bundle-of-others", "has 1 signature, but none by the key honeydue:cosignPublicKey"),
        ("tag-of-others", "has 1 signature, but none by the key honeydue:cosignPublicKey"),
    ],
)
def test_another_image_is_refused(registry: Registry, image: str, message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        verify(registry, RECORDED["name"], RECORDED["digests"][image], load_key(RECORDED["publicKey"]))
