"""What `make release` reads from the registry: digests, labels and signatures. A refused image changes nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ec

from ops.__main__ import cli
from ops.errors import OpsError
from ops.registry.client import ENDPOINT
from ops.release.digests import OurImages
from ops.release.schema import COMPATIBLE_WITH, SCHEMA_VERSION
from rehearsal.clouds.faults import Fault, write_faults
from rehearsal.images.push import Repository
from tests.recipes import EXAMPLE
from tests.unit.fake_engine import fake_engine, plan, update
from tests.unit.fake_registry import PASSWORD, REGISTRY, SETTINGS, digest, fake_registry, pinned, public_key

SETTINGS_FILE = (EXAMPLE / "Pulumi.prod.yaml").read_text()
KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
NEVER = f"sha256:{'0' * 64}"


class Commands:
    """Runs commands against an engine and a registry, and knows whether anything changed."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, registry: Path, url: str) -> None:
        self._folder, self._monkeypatch, self.registry, self._url = folder, monkeypatch, registry, url
        self.file = folder / "Pulumi.prod.yaml"
        self.file.write_text(SETTINGS_FILE)
        monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(self.file))
        self.calls = ""

    def repository(self, app: str) -> Repository:
        return Repository(url=self._url, name=f"owner/honeydue-{app}", username="x", password=PASSWORD)

    def run(
        self,
        *arguments: str,
        key: ec.EllipticCurvePrivateKey | None = None,
        images: dict[str, str] | None = None,
        backup: str = "",
        error: str = "",
    ) -> Result:
        """`images` and `backup` are the images of the plan, which has no images with an `error`."""
        config = {"honeydue:backups": json.dumps({"image": backup})} if backup else {}
        config |= {} if error else {"honeydue:images": json.dumps({"registry": REGISTRY, **(images or {})})}
        config |= {"honeydue:cosignPublicKey": public_key(key)} if key else {}
        with fake_engine(
            self._folder,
            self._monkeypatch,
            plan={**plan("update", error=error), "config": {**plan()["config"], **config}},
            history=[update(api="running", worker="running", web="running")],
            records=update(),
        ) as calls:
            # The engine's own registry ends with it.
            self._monkeypatch.setenv(ENDPOINT, self._url)
            confirmation = [] if arguments[0] == "preview" else ["--yes"]
            result = CliRunner().invoke(cli, [arguments[0], "--stack", "prod", *confirmation, *arguments[1:]])
        self.calls = calls.read_text() if calls.exists() else ""
        return result

    def refused(self, *arguments: str, **options: object) -> str:
        """The output of a command that must change nothing."""
        result = self.run(*arguments, **options)  # type: ignore[arg-type]  # as above
        assert result.exit_code == 1, result.output
        assert self.file.read_text() == SETTINGS_FILE
        assert self.calls == ""
        assert "Traceback" not in result.output
        return result.output


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    with fake_registry(tmp_path / "our-registry", monkeypatch) as registry:
        yield Commands(tmp_path, monkeypatch, registry.folder, registry.url)


def test_a_tag_that_does_not_exist_is_one_line(commands: Commands) -> None:
    output = commands.refused("release", "--web", "missing-1")
    assert output.strip() == (
        "Error: registry.example.com has no image owner/honeydue-web:missing-1. Nothing was changed"
    )


def test_a_digest_of_another_image_is_one_line(commands: Commands) -> None:
    output = commands.refused("release", "--web", f"one@{digest('web', 'two')}")
    assert output.strip() == (
        f"Error: web: the digest of the tag one is {digest('web', 'one')}, not {digest('web', 'two')}. "
        "Nothing was changed"
    )


def test_a_digest_that_does_not_exist_is_one_line(commands: Commands) -> None:
    output = commands.refused("release", "--web", f"missing-1@{NEVER}")
    assert f"registry.example.com has no image owner/honeydue-web@{NEVER}. Nothing was changed" in output


def test_a_digest_whose_tag_was_deleted_is_released(commands: Commands) -> None:
    digest_ = commands.repository("web").push_image("kept")
    assert commands.run("release", "--web", f"missing-1@{digest_}").exit_code == 0
    assert f"web: missing-1@{digest_}" in commands.file.read_text()


@pytest.mark.parametrize("status", [None, 503], ids=["connection cut", "gateway"])
def test_a_registry_that_is_away_is_an_error_with_the_way_out(commands: Commands, status: int | None) -> None:
    cut = None if status else "before"
    write_faults(commands.registry, Fault(vendor="registry", method="HEAD", path=".*", status=status, cut=cut))
    output = commands.refused("release", "--web", "0a1b2c3d4e")
    assert "the digest of web 0a1b2c3d4e is unknown: registry.example.com " in output
    assert "Release by digest (API=<tag>@sha256:…)" in output
    # The way out.
    released = commands.run("release", "--web", pinned("web", "0a1b2c3d4e"))
    assert released.exit_code == 0, released.output
    assert "web: the digest is not checked: registry.example.com " in released.output
    assert f"web: {pinned('web', '0a1b2c3d4e')}" in commands.file.read_text()


def test_a_rejected_login_is_one_line_without_the_password(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTINGS, "registryPassword", "expired-token")
    output = commands.refused("release", "--web", "0a1b2c3d4e")
    assert "returned 401: the login is not accepted. Check honeydue:registryUsername" in output
    assert "expired-token" not in output


def test_the_password_is_not_sent_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, "http://mirror.example.com")
    with pytest.raises(OpsError, match=r"REGISTRY_ENDPOINT is http://mirror\.example\.com: expected a URL"):
        OurImages.of(SETTINGS)


def test_the_schema_of_the_api_image_is_recorded(commands: Commands) -> None:
    commands.repository("api").push_image("labelled", {SCHEMA_VERSION: "42", COMPATIBLE_WITH: "41"})
    assert commands.run("release", "--api", "labelled").exit_code == 0
    assert commands.calls.endswith("--message Release api labelled, worker labelled; schema 42, compatible with 41\n")


def test_with_a_key_a_signed_image_is_released(commands: Commands) -> None:
    signed = commands.repository("web").push_image("signed")
    commands.repository("web").sign(signed, KEY)
    images = {"web": f"signed@{signed}", "worker": "running"}
    result = commands.run("release", "--web", "signed", key=KEY, images=images)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("signer", "expected"),
    [(None, "is not signed"), (OTHER_KEY, "has 1 signature, but none by the key honeydue:cosignPublicKey")],
    ids=["unsigned", "another key"],
)
@pytest.mark.parametrize("command", [("release", "--web", "pushed"), ("up",), ("preview",)], ids=lambda item: item[0])
def test_with_a_key_another_image_is_refused(
    commands: Commands, command: tuple[str, ...], signer: ec.EllipticCurvePrivateKey | None, expected: str
) -> None:
    pushed = commands.repository("web").push_image("pushed")
    if signer:
        commands.repository("web").sign(pushed, signer)
    output = commands.refused(*command, key=KEY, images={"web": f"pushed@{pushed}", "worker": "running"})
    assert f"honeydue:images.web pushed {expected}" in " ".join(output.split())


def test_with_a_key_the_image_of_the_dumps_must_be_signed(commands: Commands) -> None:
    repository, images = commands.repository("backup"), {"web": "running", "worker": "running"}
    pushed = repository.push_image("1")
    output = commands.refused("up", key=KEY, images=images, backup=f"1@{pushed}")
    assert "honeydue:backups.image 1 is not signed" in " ".join(output.split())
    repository.sign(pushed, KEY)
    assert commands.run("up", key=KEY, images=images, backup=f"1@{pushed}").exit_code == 0


@pytest.mark.parametrize("command", ["up", "preview"])
def test_without_images_the_error_is_that_of_the_program(commands: Commands, command: str) -> None:
    message = "honeydue:images is missing"
    assert message in commands.refused(command, key=KEY, error=message)


def test_with_a_key_an_image_without_a_digest_is_refused(commands: Commands) -> None:
    output = commands.refused("up", key=KEY, images={"web": "0a1b2c3d4e", "worker": "running"})
    assert "has no digest, which is what a key signs" in " ".join(output.split())


def test_the_images_of_the_last_releases_are_not_checked_again(commands: Commands) -> None:
    faults = [Fault(vendor="registry", method=method, path=".*", cut="before") for method in ("GET", "HEAD")]
    write_faults(commands.registry, *faults)
    assert commands.run("up", key=KEY, images={"web": "running", "worker": "running"}).exit_code == 0


def test_a_signature_that_cannot_be_read_is_a_refusal_with_the_way_out(commands: Commands) -> None:
    signed = commands.repository("web").push_image("signed")
    write_faults(commands.registry, Fault(vendor="registry", method="GET", path=".*", cut="before"))
    output = commands.refused("up", key=KEY, images={"web": f"signed@{signed}"})
    assert "its signature cannot be checked: registry.example.com does not respond" in " ".join(output.split())
    assert ENDPOINT in output
