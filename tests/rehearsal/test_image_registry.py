"""Digests and signatures at a real registry: a signed image is released, and an unsigned one is refused."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ops.registry.client import ENDPOINT, Login, NotFoundError, Registry, RegistryError, UnreachableError
from ops.registry.cosign import SignatureError, load_key, verify
from ops.release.schema import SCHEMA_VERSION
from rehearsal.engine.placeholders import placeholder
from rehearsal.external.image_registry import USERNAME, ImageRegistry
from rehearsal.images.push import Repository
from rehearsal.layout import Layout
from rehearsal.world.world import World
from tests.rehearsal.cluster import items, snapshot
from tests.rehearsal.image_registry import our_repository
from tests.rehearsal.operator import ops

Sign = Callable[[Repository, str, ec.EllipticCurvePrivateKey], None]
KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
PUBLIC_KEY = (
    KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
)
PASSWORD = "rehearsal-password"
NAME = "admin/honeydue-web"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageRegistry]:
    layout = Layout(tmp_path_factory.mktemp("worlds") / "registry")
    layout.logs.mkdir(parents=True)
    with ImageRegistry(layout, password=PASSWORD) as registry:
        yield registry


@pytest.fixture
def repository(server: ImageRegistry) -> Repository:
    return Repository(url=server.url, name=NAME, username=USERNAME, password=PASSWORD)


def client(server: ImageRegistry, password: str = PASSWORD) -> Registry:
    return Registry("registry.example.com", login=Login(username=USERNAME, password=password), url=server.url)


def test_digest_and_labels_are_those_of_the_pushed_image(server: ImageRegistry, repository: Repository) -> None:
    pushed = repository.push_image("labelled", {SCHEMA_VERSION: "42"})
    assert client(server).digest(NAME, "labelled") == pushed
    assert client(server).labels(NAME, pushed)[SCHEMA_VERSION] == "42"
    with pytest.raises(NotFoundError):
        client(server).digest(NAME, "never-pushed")
    with pytest.raises(RegistryError, match="the login is not accepted"):
        client(server, "another-password").digest(NAME, "labelled")


@pytest.mark.parametrize("sign", [Repository.sign, Repository.sign_as_cosign_2], ids=["bundle", "tag"])
def test_only_the_signature_of_our_key_is_valid(server: ImageRegistry, repository: Repository, sign: Sign) -> None:
    ours, others, none = (repository.push_image(f"{sign.__name__}-{name}") for name in ("ours", "others", "none"))
    sign(repository, ours, KEY)
    sign(repository, others, OTHER_KEY)
    verify(client(server), NAME, ours, load_key(PUBLIC_KEY))
    with pytest.raises(SignatureError, match="none by the key"):
        verify(client(server), NAME, others, load_key(PUBLIC_KEY))
    with pytest.raises(SignatureError, match="is not signed"):
        verify(client(server), NAME, none, load_key(PUBLIC_KEY))


def test_a_release_with_a_key_deploys_only_a_signed_image(production: World) -> None:
    name = our_repository(production, "web").name
    username, password = (
        str(placeholder(key, production.layout.pki)) for key in ("registryUsername", "registryPassword")
    )
    settings = production.layout.config.read_text()
    with ImageRegistry(production.layout, username=username, password=password) as registry:
        repository = Repository(url=registry.url, name=name, username=username, password=password)
        endpoint = {ENDPOINT: registry.url}
        repository.push_image("unsigned")
        signed = repository.push_image("signed")
        repository.sign(signed, KEY)
        before = snapshot(production)
        production.set_config("honeydue:cosignPublicKey", PUBLIC_KEY)
        with_key = production.layout.config.read_text()

        refused = ops(production, "release", "--stack", "prod", "--web", "unsigned", "--yes", extra=endpoint)
        assert refused.returncode == 1
        assert "honeydue:images.web unsigned is not signed" in refused.stdout
        assert (production.layout.config.read_text(), snapshot(production)) == (with_key, before)

        released = ops(production, "release", "--stack", "prod", "--web", "signed", "--yes", extra=endpoint)
        assert released.returncode == 0, released.stdout
        assert {
            pod["spec"]["containers"][0]["image"].partition("@")[2] for pod in items(production, "pods", "web")
        } == {signed}
    # Nothing that runs needs the registry, and an image that was checked is not checked again.
    assert ops(production, "preview", "--stack", "prod", extra=endpoint).returncode == 0
    away = ops(production, "release", "--stack", "prod", "--web", "signed-2", "--yes", extra=endpoint)
    assert away.returncode == 1
    assert "does not respond" in away.stdout
    assert "Traceback" not in away.stdout
    (update,) = json.loads(production.pulumi("stack", "history", "--json", "--page-size", "1").stdout)
    assert update["message"] == "Release web signed"
    assert "cosignPublicKey" not in settings


def test_a_registry_that_has_stopped_is_an_error(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "registry")
    layout.logs.mkdir(parents=True)
    with ImageRegistry(layout, password=PASSWORD) as registry:
        pass
    with pytest.raises(UnreachableError, match="does not respond"):
        client(registry).digest(NAME, "labelled")
