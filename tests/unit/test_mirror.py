"""A copy that ends between the manifests and the tags of signatures, on a registry without the referrers API.

tests/rehearsal/test_mirror.py copies between two real registries.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ops.mirror.copy import Mirror
from ops.mirror.images import Source
from ops.registry import cosign
from ops.registry.client import Login, Manifest, NotFoundError, Registry, UnreachableError
from ops.registry.upload import WritableRegistry
from rehearsal.images.push import Repository
from tests.unit.fake_registry import PASSWORD, USERNAME, FakeRegistry, fake_registry

LOGIN = Login(username=USERNAME, password=PASSWORD)
KEY = ec.generate_private_key(ec.SECP256R1())
Sign = Callable[[Repository, str, ec.EllipticCurvePrivateKey], None]


class WithReferrers(Registry):
    """A registry with the referrers API: it lists signatures, and no tag refers to them."""

    def raw_manifest(self, name: str, reference: str) -> Manifest:
        if reference.startswith("sha256-"):
            raise NotFoundError("404")
        return super().raw_manifest(name, reference)


class Interrupted(WritableRegistry):
    """A registry that fails before it has a tag of signatures."""

    def put_manifest(self, name: str, reference: str, manifest: Manifest) -> None:
        if reference.startswith("sha256-"):
            raise UnreachableError("503")
        super().put_manifest(name, reference, manifest)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    with fake_registry(tmp_path, monkeypatch) as server:
        yield server


def mirror(registry: FakeRegistry, kind: type[WritableRegistry] = WritableRegistry) -> Mirror:
    return Mirror(kind("mirror.example.com", login=LOGIN, url=registry.url), "mirror")


def signed(registry: FakeRegistry, sign: Sign, kind: type[Registry]) -> tuple[Repository, Source]:
    """An image and its signature in a registry of this kind."""
    repository = registry.repository("api")
    digest = repository.push_image("1")
    sign(repository, digest, KEY)
    source = kind("registry.example.com", login=LOGIN, url=registry.url)
    return repository, Source(registry=source, name=repository.name, tag="1", digest=digest, ours=True)


@pytest.mark.parametrize(
    ("sign", "kind"),
    [(Repository.sign, WithReferrers), (Repository.sign, Registry), (Repository.sign_as_cosign_2, Registry)],
    ids=["referrers", "fallback-tag", "sig-tag"],
)
def test_a_second_run_sets_the_tag_of_signatures(registry: FakeRegistry, sign: Sign, kind: type[Registry]) -> None:
    _, image = signed(registry, sign, kind)
    interrupted, again = mirror(registry, Interrupted), mirror(registry)
    with pytest.raises(UnreachableError):
        interrupted.copy(interrupted.missing(image))
    missing = again.missing(image)
    assert (missing.blobs, missing.manifests, missing.nothing) == ([], [], False)
    again.copy(missing)
    cosign.verify(again.registry, again.name(image), image.digest, KEY.public_key())
    assert again.missing(image).nothing


def test_a_later_signature_is_added_to_the_tag(registry: FakeRegistry) -> None:
    repository, image = signed(registry, Repository.sign, WithReferrers)
    target, later = mirror(registry), ec.generate_private_key(ec.SECP256R1())
    target.copy(target.missing(image))
    repository.sign(image.digest, later)
    target.copy(target.missing(image))
    for key in (KEY, later):
        cosign.verify(target.registry, target.name(image), image.digest, key.public_key())
    assert target.missing(image).nothing
