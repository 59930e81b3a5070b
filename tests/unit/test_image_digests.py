"""Digests of images: the settings accept them everywhere, and `make outdated` asks the registries for them."""

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from infra.settings.apps import Images
from infra.settings.logs import LogImages
from infra.settings.monitoring import MonitoringImages
from infra.settings.types import Image, Tag
from ops.registry import client
from ops.registry.client import RegistryError, digest_of, registry_and_name
from tests.recipes import EXAMPLE
from tests.unit.capture import example_settings, run
from tools import outdated

DIGEST, OTHER_DIGEST = ("sha256:" + digit * 64 for digit in "0a")


@dataclass(kw_only=True)
class Registry:
    """A registry on loopback. A public image needs a token without a login; others need a login."""

    url: str = ""
    public: dict[str, str] = field(default_factory=dict)
    """Digests by `repository:tag`."""
    hosts: list[str] = field(default_factory=list)
    """The hosts that were asked."""


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    registry = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            _, name, tag = re.split(r"^/v2/|/manifests/", self.path)
            image = f"{name}:{tag}"
            if self.headers["Authorization"] != f"Bearer token-for-{name}":
                realm = f'realm="{registry.url}/token",service="registry"'
                self._answer(401, {"WWW-Authenticate": f"Bearer {realm}"})
            elif image not in registry.public:
                self._answer(404, {})
            else:
                assert "index" in self.headers["Accept"]
                self._answer(200, {"Docker-Content-Digest": registry.public[image]})

        def do_GET(self) -> None:
            match = re.search(r"scope=repository%3A(.+)%3Apull", self.path)
            assert match
            name = match[1].replace("%2F", "/")
            known = any(image.startswith(f"{name}:") for image in registry.public)
            self._answer(200 if known else 401, {}, json.dumps({"token": f"token-for-{name}"}).encode())

        def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    def base_url(host: str) -> str:
        registry.hosts.append(host)
        return registry.url

    monkeypatch.setattr(client, "base_url", base_url)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        registry.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield registry
        server.shutdown()


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ("redis", ("registry-1.docker.io", "library/redis")),
        ("rancher/k3s-upgrade", ("registry-1.docker.io", "rancher/k3s-upgrade")),
        ("docker.io/victoriametrics/vmagent", ("registry-1.docker.io", "victoriametrics/vmagent")),
        ("docker.io/redis", ("registry-1.docker.io", "library/redis")),
        ("gitea.treytartt.com/admin/honeydue-api", ("gitea.treytartt.com", "admin/honeydue-api")),
    ],
)
def test_an_image_without_a_host_is_on_docker_hub(repository: str, expected: tuple[str, str]) -> None:
    assert registry_and_name(repository) == expected


def test_the_digest_of_a_public_image_needs_no_login(registry: Registry) -> None:
    registry.public["library/redis:7-alpine"] = DIGEST
    assert digest_of("redis", "7-alpine") == DIGEST
    assert set(registry.hosts) == {"registry-1.docker.io"}


def test_a_registry_that_needs_a_login_is_an_error(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="needs a login"):
        digest_of("gitea.example.com/admin/honeydue-api", "12b2f9d43b")
    registry.public["library/redis:7"] = DIGEST
    with pytest.raises(RegistryError, match="returned 404"):
        digest_of("redis", "8")


def test_a_registry_that_does_not_respond_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "base_url", lambda _: "http://127.0.0.1:1")
    with pytest.raises(RegistryError, match="does not respond"):
        digest_of("redis", "7")


def write_settings(folder: Path, redis: str) -> None:
    images = f"{{registry: gitea.example.com/admin, api: 12b2f9d43b, redis: '{redis}'}}"
    (folder / "Pulumi.prod.yaml").write_text(f"config:\n  honeydue:images: {images}\n")


@pytest.mark.parametrize("digest", ["", f"@{OTHER_DIGEST}"])
def test_the_value_to_set_has_the_current_digest(registry: Registry, tmp_path: Path, digest: str) -> None:
    registry.public["library/redis:7-alpine"] = DIGEST
    write_settings(tmp_path, f"redis:7-alpine{digest}")
    images = outdated.outdated_images(outdated.image_settings(tmp_path))
    (version,) = images.outdated
    assert (version.name, version.pinned, version.newest, version.file) == (
        "honeydue:images.redis",
        f"redis:7-alpine{digest}",
        f"redis:7-alpine@{DIGEST}",
        "Pulumi.prod.yaml",
    )
    assert images.unknown == {"needs a login": ["gitea.example.com/admin/honeydue-api:12b2f9d43b"]}


def test_our_images_are_listed_with_the_value_of_their_setting(registry: Registry, tmp_path: Path) -> None:
    registry.public |= {"admin/honeydue-api:12b2f9d43b": OTHER_DIGEST, "library/redis:7-alpine": DIGEST}
    write_settings(tmp_path, f"redis:7-alpine@{DIGEST}")
    images = outdated.outdated_images(outdated.image_settings(tmp_path))
    assert [version.newest for version in images.outdated] == [f"12b2f9d43b@{OTHER_DIGEST}"]
    assert images.unknown == {}


@pytest.mark.parametrize("value", ["12b2f9d43b", f"12b2f9d43b@{DIGEST}"])
def test_a_tag_may_have_a_digest(value: str) -> None:
    assert TypeAdapter(Tag).validate_python(value) == value
    assert TypeAdapter(Image).validate_python(f"redis:{value}") == f"redis:{value}"


@pytest.mark.parametrize("value", [f"latest@{DIGEST}", "1@sha256:123", f"@{DIGEST}", f"1@{DIGEST}0", "1@"])
def test_an_invalid_digest_is_refused(value: str) -> None:
    for kind, prefix in ((Tag, ""), (Image, "redis:")):
        with pytest.raises(ValidationError, match="with or without @sha256:<digest>, was expected"):
            TypeAdapter(kind).validate_python(prefix + value)


def test_the_repository_of_an_image_with_a_digest_is_that_without() -> None:
    tags = dict.fromkeys(Images.model_fields, "1")
    images = Images.model_validate({**tags, "registry": "r", "redis": f"redis:7-alpine@{DIGEST}"})
    assert images.other_repositories == ("redis",)


def test_every_container_runs_the_digest_of_the_settings() -> None:
    settings = example_settings()
    images = settings["honeydue:images"]
    assert isinstance(images, dict)
    pinned = {key: value if key == "registry" else f"{value}@{DIGEST}" for key, value in images.items()}
    program = run({**settings, "honeydue:images": pinned})
    for resource in (*program.resources("Deployment"), *program.resources("Job")):
        (container,) = resource.inputs["spec"]["template"]["spec"]["containers"]
        assert container["image"].endswith(f"@{DIGEST}"), resource.name


def test_every_image_of_the_settings_is_looked_up() -> None:
    expected = {f"images.{name}" for name in ("api", "worker", "admin", "web", "redis")}
    assert {image.key for image in outdated.image_settings(EXAMPLE)} >= expected


def test_the_images_of_each_part_that_is_on_are_looked_up(tmp_path: Path) -> None:
    vmagent, backup = f"example.com/vmagent:v1@{DIGEST}", f"1a2b3c4d5e@{DIGEST}"
    parts = {
        "honeydue:images": {"registry": "gitea.example.com/admin"},
        "honeydue:monitoring": {"images": {"vmagent": vmagent}},
        "honeydue:backups": {"image": backup},
    }
    (tmp_path / "Pulumi.prod.yaml").write_text(json.dumps({"config": parts}))
    images = {image.key: image for image in outdated.image_settings(tmp_path)}
    names = MonitoringImages().model_dump(by_alias=True)
    assert images.keys() == {"backups.image", *(f"monitoring.images.{name}" for name in names)}
    assert images["backups.image"].repository == "gitea.example.com/admin/honeydue-backup"
    assert images["backups.image"].value(DIGEST) == backup
    assert images["monitoring.images.vmagent"].value(DIGEST) == vmagent
    # A default.
    exporter = images["monitoring.images.nodeExporter"]
    assert exporter.value("") == names["nodeExporter"]
    assert exporter.file == "Pulumi.prod.yaml"


def test_a_registry_that_does_not_respond_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts: list[str] = []

    def base_url(host: str) -> str:
        hosts.append(host)
        return "http://127.0.0.1:1"

    monkeypatch.setattr(client, "base_url", base_url)
    (tmp_path / "Pulumi.prod.yaml").write_text(
        json.dumps({"config": {"honeydue:images": {"registry": "r", "redis": "redis:7"}, "honeydue:logs": {"url": ""}}})
    )
    images = outdated.outdated_images(outdated.image_settings(tmp_path))
    assert images.outdated == []
    vlagent = LogImages().vlagent
    assert images.unknown == {"registry-1.docker.io does not respond (ConnectionError)": ["redis:7", vlagent]}
    assert hosts == ["registry-1.docker.io"]
