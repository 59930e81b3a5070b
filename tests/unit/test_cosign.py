"""Signatures of cosign: both formats, wrong keys, other digests, and other statements of the same key."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ops.registry.client import Login, Registry
from ops.registry.cosign import SignatureError, load_key, verify
from rehearsal.images.push import Repository
from tests.unit.fake_registry import PASSWORD, USERNAME, fake_registry, public_key

Sign = Callable[[Repository, str, ec.EllipticCurvePrivateKey], None]
KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
RECORDED = Path(__file__).parent / "recorded"
FORMATS = pytest.mark.parametrize("sign", [Repository.sign, Repository.sign_as_cosign_2], ids=["bundle", "tag"])


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    with fake_registry(tmp_path, monkeypatch) as registry:
        yield registry.repository("api")


def check(repository: Repository, digest: str) -> None:
    registry = Registry("registry.example.com", login=Login(username=USERNAME, password=PASSWORD), url=repository.url)
    verify(registry, repository.name, digest, load_key(public_key(KEY)))


@FORMATS
def test_a_signature_by_our_key_is_valid(repository: Repository, sign: Sign) -> None:
    digest = repository.push_image("signed")
    sign(repository, digest, KEY)
    check(repository, digest)


def test_an_image_without_a_signature_is_an_error(repository: Repository) -> None:
    with pytest.raises(SignatureError, match="is not signed"):
        check(repository, repository.push_image("unsigned"))


@FORMATS
def test_a_signature_by_another_key_is_an_error(repository: Repository, sign: Sign) -> None:
    digest = repository.push_image("signed")
    sign(repository, digest, OTHER_KEY)
    with pytest.raises(SignatureError, match="has 1 signature, but none by the key honeydue:cosignPublicKey"):
        check(repository, digest)


def test_one_valid_signature_is_enough(repository: Repository) -> None:
    digest = repository.push_image("signed")
    repository.sign(digest, OTHER_KEY)
    repository.sign_as_cosign_2(digest, KEY)
    check(repository, digest)


def test_the_bundle_of_another_image_is_no_signature_of_this_one(repository: Repository) -> None:
    signed, other = repository.push_image("signed"), repository.push_image("other")
    repository.sign(signed, KEY)
    index = Registry("r", login=Login(username=USERNAME, password=PASSWORD), url=repository.url).manifest(
        repository.name, signed.replace(":", "-")
    )
    repository.push_manifest(other.replace(":", "-"), json.dumps(index).encode(), index["mediaType"])
    with pytest.raises(SignatureError, match="none by the key"):
        check(repository, other)


def test_the_older_signature_of_another_image_is_no_signature_of_this_one(repository: Repository) -> None:
    signed, other = repository.push_image("signed"), repository.push_image("other")
    repository.sign_as_cosign_2(signed, KEY)
    registry = Registry("r", login=Login(username=USERNAME, password=PASSWORD), url=repository.url)
    manifest = registry.manifest(repository.name, signed.replace(":", "-") + ".sig")
    repository.push_manifest(other.replace(":", "-") + ".sig", json.dumps(manifest).encode(), manifest["mediaType"])
    with pytest.raises(SignatureError, match="none by the key"):
        check(repository, other)


def test_another_statement_of_our_key_is_no_signature(repository: Repository) -> None:
    digest = repository.push_image("scanned")
    repository.sign(digest, KEY, predicate="vulnerabilities")
    with pytest.raises(SignatureError, match="is not signed"):
        check(repository, digest)


def test_a_key_that_cosign_does_not_create_is_an_error() -> None:
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    with pytest.raises(SignatureError, match="is not an ECDSA key"):
        load_key(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())
    with pytest.raises(SignatureError, match="is not a valid public key"):
        load_key("-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n")
