"""`make mirror` between two real registries, one of which is then stopped."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec

from ops.mirror import command, copy, images
from ops.mirror.command import PASSWORD, USERNAME, mirror
from ops.registry import cosign
from ops.registry.client import ENDPOINT, Login, NotFoundError, Registry, RegistryError, UnreachableError
from ops.registry.upload import Content, WritableRegistry
from rehearsal.clouds.registry import MANIFEST, config_of, digest_of
from rehearsal.external.image_registry import USERNAME as USER
from rehearsal.external.image_registry import ImageRegistry
from rehearsal.images.push import INDEX, Repository
from rehearsal.layout import Layout
from tests.unit.capture import full_settings

SECRET = "rehearsal-password"
PATH = "honeydue"
LAYERS = (b"a layer that api and worker share" * 50_000, b"another layer")


@dataclass(frozen=True, kw_only=True)
class Registries:
    """The registry of the settings, and a second one."""

    first: ImageRegistry
    second: ImageRegistry

    @property
    def host(self) -> str:
        """The address of the second registry, as in TO."""
        return self.second.url.removeprefix("http://")

    def repository(self, name: str) -> Repository:
        return Repository(url=self.first.url, name=name, username=USER, password=SECRET)

    def client(self) -> Registry:
        return Registry(self.host, login=Login(username=USER, password=SECRET))

    def target(self) -> copy.Mirror:
        return copy.Mirror(WritableRegistry(self.host, login=Login(username=USER, password=SECRET)), PATH)

    def source(self, name: str, tag: str) -> images.Source:
        first = Registry("registry.example.com", login=Login(username=USER, password=SECRET), url=self.first.url)
        return images.Source(registry=first, name=name, tag=tag, digest=first.digest(name, tag), ours=True)


@pytest.fixture
def registries(tmp_path: Path) -> Iterator[Registries]:
    with ExitStack() as stack:
        servers = []
        for name in ("first", "second"):
            layout = Layout(tmp_path / name)
            layout.logs.mkdir(parents=True)
            servers.append(stack.enter_context(ImageRegistry(layout, password=SECRET)))
        yield Registries(first=servers[0], second=servers[1])


def push(repository: Repository, tag: str, layers: Sequence[bytes] = LAYERS) -> str:
    """Pushes an index with one image."""
    config = config_of(f"{repository.name}:{tag}", {})
    descriptors = [
        {"mediaType": "application/octet-stream", "size": len(blob), "digest": digest_of(blob)}
        for blob in (config, *layers)
    ]
    for blob in (config, *layers):
        repository.push_blob(blob)
    content = json.dumps(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptors[0], "layers": descriptors[1:]}
    ).encode()
    digest = repository.push_manifest(digest_of(content), content, MANIFEST)
    child = {"mediaType": MANIFEST, "digest": digest, "size": len(content)}
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]}).encode()
    return repository.push_manifest(tag, index, INDEX)


def pulled(registry: Registry, name: str, digest: str) -> list[bytes]:
    """The layers of an index with one image, by digest as a node pulls them."""
    (child,) = registry.manifest(name, digest)["manifests"]
    return [registry.blob(name, layer["digest"]) for layer in registry.manifest(name, child["digest"])["layers"]]


@pytest.mark.parametrize("sign", [Repository.sign, Repository.sign_as_cosign_2], ids=["bundle", "tag"])
def test_an_image_and_its_signature_are_there_when_the_first_registry_is_away(
    registries: Registries, sign: object
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    repository = registries.repository("admin/honeydue-api")
    digest = push(repository, "1")
    assert callable(sign)
    sign(repository, digest, key)
    target, source = registries.target(), registries.source(repository.name, "1")
    missing = target.missing(source)
    assert missing.size > len(LAYERS[0])
    target.copy(missing)
    assert target.missing(source).nothing
    registries.first.stop()
    client, name = registries.client(), f"{PATH}/{repository.name}"
    assert client.digest(name, "1") == digest
    assert pulled(client, name, digest) == [*LAYERS]
    cosign.verify(client, name, digest, key.public_key())


def test_an_interrupted_copy_continues_and_shared_layers_are_mounted(
    registries: Registries, monkeypatch: pytest.MonkeyPatch
) -> None:
    for app in ("api", "worker"):
        push(registries.repository(f"admin/honeydue-{app}"), "1")
    target = registries.target()
    api = target.missing(registries.source("admin/honeydue-api", "1"))
    first_layer = next(blob for blob in api.blobs if blob.size == len(LAYERS[0]))
    target._copy_blob(api.image, api.name, first_layer)  # the rest is missing, as after an interruption
    again = target.missing(api.image)
    assert first_layer not in again.blobs
    assert len(again.blobs) == len(api.blobs) - 1
    target.copy(api)
    uploads: list[str] = []
    upload = target.registry.upload

    def recorded(name: str, digest: str, content: Content) -> None:
        uploads.append(digest)
        upload(name, digest, content)

    monkeypatch.setattr(target.registry, "upload", recorded)
    worker = target.missing(registries.source("admin/honeydue-worker", "1"))
    target.copy(worker)
    # Only the configuration differs.
    assert len(uploads) == 1
    assert pulled(registries.client(), worker.name, worker.image.digest) == [*LAYERS]


def test_a_first_registry_that_stops_in_between_is_an_error_and_sets_no_tag(
    registries: Registries, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(registries.repository("admin/honeydue-api"), "1")
    target = registries.target()
    missing = target.missing(registries.source("admin/honeydue-api", "1"))
    registries.first.stop()
    monkeypatch.setattr(copy, "PAUSE_SECONDS", 0)
    with pytest.raises(UnreachableError, match="does not respond"):
        target.copy(missing)
    with pytest.raises(NotFoundError):
        registries.client().digest(missing.name, "1")


def test_other_content_than_that_of_the_digest_is_refused(registries: Registries) -> None:
    push(registries.repository("admin/honeydue-api"), "1")
    target = registries.target()
    missing = target.missing(registries.source("admin/honeydue-api", "1"))
    missing.image.registry.stream = lambda *_: iter([b"x" * blob.size])  # type: ignore[method-assign]
    for blob in missing.blobs:
        with pytest.raises(RegistryError):
            target._copy_blob(missing.image, missing.name, blob)
    assert target.missing(missing.image).blobs == missing.blobs


def test_the_command_copies_what_it_can_and_names_what_it_cannot(
    registries: Registries, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {key.removeprefix("honeydue:"): value for key, value in full_settings().items()}
    declared = settings["images"]
    assert isinstance(declared, dict)
    apps = {app: str(value).partition("@")[0] for app, value in declared.items()}
    owner = apps["registry"].partition("/")[2]
    for app in ("api", "worker", "admin", "web"):
        push(registries.repository(f"{owner}/honeydue-{app}"), apps[app])
    off = dict.fromkeys(("monitoring", "logs", "backups", "requireDigests"), "")
    settings |= {"images": apps, "registryUsername": USER, "registryPassword": SECRET, **off}
    login = Login(username=USER, password=SECRET)
    monkeypatch.setattr(command, "read_settings", lambda _: settings)
    monkeypatch.setattr(images, "Registry", lambda host: Registry(host, login=login, url=registries.first.url))
    variables = {ENDPOINT: registries.first.url, USERNAME: USER, PASSWORD: SECRET}
    arguments = ["--stack", "prod", "--to", f"{registries.host}/{PATH}"]

    declined = CliRunner().invoke(mirror, arguments, input="n\n", env=variables)
    assert "Declined" in declined.output
    with pytest.raises(NotFoundError):
        registries.client().digest(f"{PATH}/{owner}/honeydue-api", apps["api"])

    incomplete = CliRunner().invoke(mirror, arguments, input="y\n", env=variables)
    assert incomplete.exit_code == 1
    redis = apps["redis"].rpartition(":")[0]
    assert f"{redis}: registry-1.docker.io returned 404" in incomplete.output
    push(registries.repository(f"library/{redis}"), apps["redis"].rpartition(":")[2])

    complete = CliRunner().invoke(mirror, [*arguments, "--yes"], env=variables)
    assert complete.exit_code == 0, complete.output
    assert "has 5 images of the settings" in complete.output
    assert SECRET not in declined.output + incomplete.output + complete.output
    registries.first.stop()
    registries.client().digest(f"{PATH}/{owner}/honeydue-worker", apps["worker"])
