"""`make outputs`: what old images, dumps and snapshots occupy, with few requests and without an error."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import pytest
import requests
import urllib3

from infra import hetzner
from infra.settings.schema import Settings
from ops.errors import OpsError
from ops.registry.client import NotFoundError, Registry, UnreachableError
from ops.release.digests import OurImages
from ops.stored import lines
from tests.unit.capture import full_settings
from tests.unit.flips import example

VALUES = {"hetznerToken": "token", "backupKeyId": "id", "backupApplicationKey": "key"}
BACKUPS = full_settings()["honeydue:backups"]
URL = f"https://{example().environment['B2_ENDPOINT']}/honeydue-backups"
CONTENTS = "".join(
    f"<Contents><Key>{name}</Key><Size>{size}</Size></Contents>"
    for name, size in {"a.dump.age": 3_000_000_000, "a.manifest.json": 500}.items()
)
LISTED = f"<ListBucketResult><Name>honeydue-backups</Name><IsTruncated>false</IsTruncated>{CONTENTS}</ListBucketResult>"


class FakeRegistry(Registry):
    """Two repositories have tags. Each image has a layer of its own and one that all share."""

    def __init__(self, tags: Mapping[str, Sequence[str]]) -> None:
        super().__init__("registry.example.com")
        self.found = tags
        self.read: list[str] = []

    def tags(self, name: str) -> Sequence[str]:
        if name not in self.found:
            raise NotFoundError("404")
        return self.found[name]

    def manifest(self, name: str, reference: str) -> Mapping[str, Any]:
        self.read.append(f"{name}:{reference}")
        return {
            "config": {"digest": f"config of {reference}", "size": 0},
            "layers": [{"digest": reference, "size": 1_000}, {"digest": "shared", "size": 1_000_000}],
        }


def images(registry: Registry) -> list[str]:
    return [*lines.image_lines(example({"backups": BACKUPS}), OurImages(registry=registry, prefix="admin"))]


def settings_with(price: float | None) -> Settings:
    return example({"backups": BACKUPS, "prices.objectStoreGb": price})


@dataclass
class Bucket:
    """The answer of the object store, and the headers of the requests for it."""

    status: int = 200
    answer: str = LISTED
    authorizations: list[str] = field(default_factory=list)


def environment() -> Mapping[str, str]:
    """Without the variable that pytest changes."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The object store. The other threads of `make outputs` must not see its key."""
    result, before = Bucket(), environment()

    def answer(_: urllib3.PoolManager, method: str, url: str, **options: Any) -> urllib3.BaseHTTPResponse:
        assert (method, url.partition("?")[0]) == ("GET", URL)
        assert environment() == before
        result.authorizations.append(options["headers"]["Authorization"])
        headers = {"Content-Type": "application/xml"}
        return urllib3.HTTPResponse(BytesIO(result.answer.encode()), headers, result.status, preload_content=False)

    monkeypatch.setattr(urllib3.PoolManager, "urlopen", answer)
    return result


def test_layers_that_images_share_count_once_and_signatures_are_no_images() -> None:
    used = example().images.api.partition("@")[0]
    tags = [used, "old", "older", f"sha256-{'0' * 64}.sig"]
    line = next(line for line in images(FakeRegistry({"admin/honeydue-api": tags})) if "api" in line)
    assert line == "admin/honeydue-api: 3 tags, 2 not in use, 1.0 MB"


def test_only_a_few_manifests_are_read() -> None:
    registry = FakeRegistry({"admin/honeydue-web": [str(number) for number in range(500)]})
    line = next(line for line in images(registry) if "web" in line)
    assert line.startswith("admin/honeydue-web: 500 tags, 500 not in use, at least ")
    assert len(registry.read) == lines.MEASURED


def test_a_repository_without_images_is_no_error() -> None:
    assert images(FakeRegistry({}))[0].endswith("honeydue-api: none")


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize(
    ("price", "expected"), [(0.006, "EUR 0.02 a month"), (None, "no price: honeydue:prices.objectStoreGb is not set")]
)
def test_dumps_have_a_size_and_a_price(price: float | None, expected: str) -> None:
    line = lines.dump_line(settings_with(price), VALUES)
    assert line.startswith("2 objects in ")
    assert f"3.0 GB, {expected}" in line


def test_without_dumps_the_setting_is_named() -> None:
    assert lines.dump_line(example(), VALUES) == "off: honeydue:backups is not set"


def test_the_bucket_is_listed_with_the_key_of_the_settings(bucket: Bucket) -> None:
    lines.dump_line(settings_with(1), VALUES)
    (authorization,) = bucket.authorizations
    assert f"Credential={VALUES['backupKeyId']}/" in authorization


def test_a_key_that_may_not_list_the_bucket_is_an_error(bucket: Bucket) -> None:
    bucket.status, bucket.answer = 403, "<Error><Code>AccessDenied</Code></Error>"
    with pytest.raises(OpsError, match=r"bucket honeydue-backups could not be listed \(AccessDenied\)"):
        lines.dump_line(settings_with(1), VALUES)


@pytest.mark.parametrize("key", ["backupKeyId", "backupApplicationKey"])
def test_a_missing_key_of_the_bucket_is_named(key: str) -> None:
    with pytest.raises(OpsError, match=f"honeydue:{key} is missing: pulumi config set --secret honeydue:{key}"):
        lines.dump_line(settings_with(1), {**VALUES, key: ""})


def test_snapshots_have_the_price_of_hetzner(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        images = type("Images", (), {"get_all": staticmethod(lambda **_: [type("S", (), {"image_size": 14.5})])})

        @staticmethod
        def request(*_: object) -> object:
            return {"pricing": {"currency": "EUR", "image": {"price_per_gb_month": {"net": "0.0110"}}}}

    monkeypatch.setattr(hetzner, "client", lambda _: Client)
    assert lines.snapshot_line("token") == "1 at Hetzner, 14.5 GB, EUR 0.16 a month"


def test_what_cannot_be_read_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> object:
        raise requests.ConnectionError

    def unreachable(*_: object) -> Sequence[str]:
        raise UnreachableError("registry.example.com does not respond")

    monkeypatch.setattr(lines, "read_settings", lambda _: VALUES)
    monkeypatch.setattr(lines, "validated", lambda _: example())
    monkeypatch.setattr(lines, "image_lines", unreachable)
    monkeypatch.setattr(OurImages, "of", lambda _: None)
    monkeypatch.setattr(
        hetzner,
        "client",
        lambda _: type("Client", (), {"images": type("I", (), {"get_all": staticmethod(lambda **_: away())})}),
    )
    assert [*lines.stored_lines("prod")] == [
        "images     could not be counted: registry.example.com does not respond",
        "dumps      off: honeydue:backups is not set",
        f"snapshots  could not be counted: Hetzner's API at {hetzner.endpoint()}: ConnectionError",
    ]


def test_settings_that_cannot_be_read_are_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: str) -> object:
        raise OpsError("the passphrase is wrong")

    monkeypatch.setattr(lines, "read_settings", refused)
    assert lines.stored_lines("prod") == ["could not read the settings: the passphrase is wrong"]
