"""`make rollback` applies the previous complete release by digest, or refuses with a reason and changes nothing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ops.__main__ import cli
from ops.registry.client import ENDPOINT
from ops.release.schema import COMPATIBLE_WITH, SCHEMA_VERSION
from rehearsal.clouds.faults import Fault, write_faults
from tests.recipes import EXAMPLE
from tests.unit.fake_engine import fake_engine, plan, update
from tests.unit.fake_registry import FakeRegistry, fake_registry

SETTINGS = (EXAMPLE / "Pulumi.prod.yaml").read_text()
APPS = ("api", "worker", "admin", "web")


class Releases:
    """A history of updates, whose images are in a registry."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, registry: FakeRegistry) -> None:
        self._folder, self._monkeypatch, self.registry = folder, monkeypatch, registry
        self.file = folder / "Pulumi.prod.yaml"
        self.file.write_text(SETTINGS)
        monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(self.file))
        self.history: list[Mapping[str, Any]] = []
        self.calls = ""

    def add(
        self,
        tag: str,
        *,
        schema: int | None = None,
        compatible: int | None = None,
        result: str = "succeeded",
        **fields: object,
    ) -> Mapping[str, str]:
        """Adds an update, newest last, whose images have this tag, and returns them."""
        labels = {SCHEMA_VERSION: schema, COMPATIBLE_WITH: compatible}
        images = {
            app: f"{tag}@"
            + self.registry.repository(app).push_image(
                tag, {name: str(value) for name, value in labels.items() if value is not None}
            )
            for app in APPS
        }
        self.history.insert(0, {**update(result, **images), **fields})
        return images

    def run(self, command: str = "rollback", answer: str = "y\n") -> Result:
        with fake_engine(
            self._folder, self._monkeypatch, plan=plan("update"), history=self.history, records=update()
        ) as calls:
            # The engine's own registry ends with it.
            self._monkeypatch.setenv(ENDPOINT, self.registry.url)
            result = CliRunner().invoke(cli, [command, "--stack", "prod"], input=answer)
        self.calls = calls.read_text() if calls.exists() else ""
        return result

    def refused(self) -> str:
        result = self.run()
        assert result.exit_code == 1, result.output
        assert self.file.read_text() == SETTINGS
        assert self.calls == ""
        return " ".join(result.output.split())

    def applied(self) -> Mapping[str, str]:
        """The images of the settings after a rollback."""
        result = self.run()
        assert result.exit_code == 0, result.output
        lines = [line.strip().partition(": ") for line in self.file.read_text().splitlines()]
        return {key: value for key, _, value in lines if key in APPS and "@sha256:" in value}


@pytest.fixture
def releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Releases]:
    with fake_registry(tmp_path / "our-registry", monkeypatch) as registry:
        yield Releases(tmp_path, monkeypatch, registry)


def test_the_previous_complete_release_is_applied_by_digest(releases: Releases) -> None:
    releases.add("oldest", schema=1)
    previous = releases.add("previous", schema=1)
    releases.add("failed", schema=1, result="failed")
    running = releases.add("running", schema=1)
    # An update without another image is no release.
    releases.history.insert(0, update(**running))
    assert releases.applied() == previous
    message = "Roll back to " + ", ".join(f"{app} previous" for app in APPS) + "; schema 1"
    assert releases.calls == f"up --stack prod --yes --skip-preview --message {message}\n"


def test_after_a_failed_release_the_last_complete_one_is_applied(releases: Releases) -> None:
    running = releases.add("running", schema=1)
    releases.add("failed", schema=1, result="failed")
    # The last update failed, so its changes are read first.
    assert releases.applied() == running


def test_an_update_of_one_resource_is_no_release(releases: Releases) -> None:
    """Its settings may have images that were never deployed."""
    previous = releases.add("previous", schema=1)
    releases.add("running", schema=1)
    releases.add("edited", schema=1, message="Only redis-data")
    assert releases.applied() == previous


def test_a_declined_rollback_changes_nothing(releases: Releases) -> None:
    releases.add("previous", schema=1)
    releases.add("running", schema=1)
    result = releases.run(answer="n\n")
    assert "api: running (sha256:" in result.output
    assert "Roll back prod to this?" in result.output
    assert (result.exit_code, releases.calls, releases.file.read_text()) == (0, "", SETTINGS)


@pytest.mark.parametrize("number", [0, 1])
def test_without_a_previous_release_nothing_changes(releases: Releases, number: int) -> None:
    for _ in range(number):
        releases.add("running", schema=1)
    assert "Error: stack prod has no previous release" in releases.refused()


def test_a_release_without_digests_is_refused_with_the_command(releases: Releases) -> None:
    releases.history.insert(0, update(**dict.fromkeys(APPS, "tagged")))
    releases.add("running", schema=1)
    message = releases.refused()
    assert "of api, worker, admin, web was recorded without a digest" in message
    assert "make release STACK=prod API=tagged WORKER=tagged ADMIN=tagged WEB=tagged" in message


def test_an_image_that_does_not_change_needs_no_digest(releases: Releases) -> None:
    previous = {**releases.add("previous", schema=1), "web": "tagged"}
    running = {**releases.add("running", schema=1), "web": "tagged"}
    releases.history = [update(**running), update(**previous)]
    assert releases.applied() == {app: image for app, image in previous.items() if app != "web"}
    assert "web: tagged\n" in releases.file.read_text()


def test_a_compatible_migration_lies_between(releases: Releases) -> None:
    previous = releases.add("previous", schema=41)
    releases.add("running", schema=42, compatible=41)
    assert releases.applied() == previous


@pytest.mark.parametrize(
    ("schema", "compatible", "reason"),
    [
        (42, None, "migrated the schema from 41 to 42, and does not have the label com.myhoneydue.schema.compatible"),
        (43, 42, "migrated the schema to 43, which is compatible with 42 and newer. The previous release has 41"),
        (None, None, "does not have the label com.myhoneydue.schema.version"),
    ],
    ids=["not declared", "too old", "no schema"],
)
def test_an_incompatible_migration_is_refused(
    releases: Releases, schema: int | None, compatible: int | None, reason: str
) -> None:
    releases.add("previous", schema=41)
    releases.add("running", schema=schema, compatible=compatible)
    message = releases.refused()
    assert f"Error: Refused: api running {reason}" in message
    assert "make release STACK=prod API=previous@sha256:" in message


def test_a_migration_of_a_release_that_failed_afterwards_counts(releases: Releases) -> None:
    releases.add("previous", schema=41)
    releases.add("failed", schema=42, result="failed")
    releases.add("running", schema=41)
    assert "api failed migrated the schema from 41 to 42" in releases.refused()


def test_a_previous_image_without_a_label_is_refused(releases: Releases) -> None:
    releases.add("previous")
    releases.add("running", schema=42, compatible=41)
    assert "api previous does not have the label com.myhoneydue.schema.version" in releases.refused()


def test_without_another_api_image_no_label_is_needed(releases: Releases) -> None:
    previous = releases.add("previous")
    running = {**previous, "web": releases.add("running")["web"]}
    releases.history[0] = update(**running)
    assert releases.applied() == previous


def test_the_recorded_schema_needs_no_registry(releases: Releases) -> None:
    """The registry may be what is down."""
    previous = releases.add("previous", message="Release api previous; schema 41")
    releases.add("running", message="Release api running; schema 42, compatible with 41")
    with registry_away(releases):
        assert releases.applied() == previous


def test_a_registry_that_is_away_is_one_line_where_it_is_needed(releases: Releases) -> None:
    releases.add("previous", schema=41)
    releases.add("running", schema=42, compatible=41)
    with registry_away(releases):
        message = releases.refused()
    assert "the schema of api previous is unknown: registry.example.com does not respond" in message


@contextmanager
def registry_away(releases: Releases) -> Iterator[None]:
    faults = [Fault(vendor="registry", method=method, path=".*", cut="before") for method in ("GET", "HEAD")]
    write_faults(releases.registry.folder, *faults)
    yield


def test_the_complete_releases_are_listed_with_schema_and_commit(releases: Releases) -> None:
    releases.add("oldest")
    releases.add("failed", result="failed")
    running = releases.add(
        "running",
        message="Release api running; schema 42, compatible with 41",
        environment={"git.head": "0123456789abcdef"},
    )
    releases.history.insert(0, update(time="11:00", **running))
    result = releases.run("releases")
    assert result.exit_code == 0, result.output
    assert result.output.count("2026-11-26T10:00") == 2
    assert "failed" not in result.output
    newest, oldest = result.output.split("2026-11-26T10:00:00.000Z")[1:]
    assert newest.startswith("  schema 42, compatible with 41  commit 0123456789\n  api running (sha256:")
    assert oldest.startswith("  schema not recorded  commit not recorded\n  api oldest (sha256:")
    assert releases.calls == ""
