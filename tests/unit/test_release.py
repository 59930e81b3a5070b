"""The `release` command changes the given image tags after a confirmation, and nothing else in the settings file."""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ops.__main__ import cli
from tests.recipes import EXAMPLE
from tests.unit.fake_engine import CONFLICT, fake_engine, plan, update
from tests.unit.fake_registry import pinned

MESSAGE = "Release api 0a1b2c3d4e, worker 0a1b2c3d4e"
SETTINGS = (EXAMPLE / "Pulumi.prod.yaml").read_text()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example settings."""
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(SETTINGS)
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(file))
    return file


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The calls of the engine, with a plan that breaks no rule."""
    with fake_engine(tmp_path, monkeypatch, plan=plan("update"), history=[update()], records=update()) as calls:
        yield calls


def release(*arguments: str, answer: str = "y\n") -> Result:
    return CliRunner().invoke(cli, ["release", "--stack", "prod", *arguments], input=answer)


def changed(file: Path) -> list[str]:
    """The lines of the settings that are new."""
    return [
        line[2:].strip()
        for line in difflib.ndiff(SETTINGS.splitlines(), file.read_text().splitlines())
        if line.startswith("+ ")
    ]


@pytest.mark.parametrize(
    ("arguments", "images"),
    [
        (["--api", "0a1b2c3d4e"], {"api": "0a1b2c3d4e", "worker": "0a1b2c3d4e"}),
        (["--api", "0a1b2c3d4e", "--worker", "ffffffffff"], {"api": "0a1b2c3d4e", "worker": "ffffffffff"}),
        (["--worker", "0a1b2c3d4e"], {"worker": "0a1b2c3d4e"}),
        # The digest is that of the image of api.
        (["--api", pinned("api", "0a1b2c3d4e")], {"api": "0a1b2c3d4e", "worker": "0a1b2c3d4e"}),
        (["--admin", "0a1b2c3d4e", "--web", "ffffffffff"], {"admin": "0a1b2c3d4e", "web": "ffffffffff"}),
        (["--web", "1234567890"], {"web": "1234567890"}),
    ],
)
def test_only_the_given_tags_change_and_each_has_its_digest(
    settings: Path, calls: Path, arguments: list[str], images: dict[str, str]
) -> None:
    result = release(*arguments)
    assert result.exit_code == 0, result.output
    assert changed(settings) == [f"{app}: {pinned(app, tag)}" for app, tag in images.items()]
    message = "Release " + ", ".join(f"{app} {tag}" for app, tag in images.items())
    assert calls.read_text().splitlines() == [f"up --stack prod --yes --skip-preview --message {message}"]


@pytest.mark.usefixtures("settings", "calls")
def test_the_changes_are_printed_before_the_confirmation() -> None:
    (current,) = re.findall(r"^    api: (\S+)$", SETTINGS, re.M)
    result = release("--api", "0a1b2c3d4e")
    assert 0 <= result.output.index(f"api: {current} → 0a1b2c3d4e") < result.output.index("Release this to prod?")


def test_a_declined_release_changes_no_settings(settings: Path, calls: Path) -> None:
    result = release("--api", "0a1b2c3d4e", answer="n\n")
    assert result.exit_code == 0
    assert result.output.endswith("Declined. Nothing was applied.\n")
    assert settings.read_text() == SETTINGS
    assert not calls.exists()


def test_a_refused_release_changes_no_settings(settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_engine(tmp_path, monkeypatch, plan=plan("delete")) as calls:
        result = release("--api", "0a1b2c3d4e")
    assert result.exit_code == 1
    assert "Service::api0 would be deleted" in result.output
    assert settings.read_text() == SETTINGS
    assert not calls.exists()


def test_a_release_without_a_plan_changes_no_settings(
    settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_engine(tmp_path, monkeypatch, plan=plan(error="honeydue:images.api holds 'latest'")) as calls:
        result = release("--api", "latest")
    assert result.exit_code == 1
    assert "honeydue:images.api holds 'latest'" in result.output
    assert settings.read_text() == SETTINGS
    assert not calls.exists()


@pytest.mark.usefixtures("settings", "calls")
def test_a_release_without_images_is_a_usage_error() -> None:
    result = release()
    assert result.exit_code == 2
    assert "name at least one image" in result.output


@pytest.mark.usefixtures("calls")
def test_missing_image_settings_are_an_error_with_their_keys(settings: Path) -> None:
    settings.write_text("config:\n  honeydue:images:\n    web: a\n")
    result = release("--api", "0a1b2c3d4e")
    assert result.exit_code == 1
    assert "Pulumi.prod.yaml has no honeydue:images.api, honeydue:images.worker" in result.output


def test_after_two_failed_releases_the_last_complete_one_is_named(
    settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = update(time="08:00", api="aaaaaaaaaa", worker="bbbbbbbbbb")
    failed = [
        update("failed", time=time, api=tag, worker=tag) for time, tag in (("10:00", "second"), ("09:00", "first"))
    ]
    release_settings = settings.read_text().replace(f"api: {current_tag('api')}", "api: second")
    settings.write_text(release_settings)
    with fake_engine(
        tmp_path,
        monkeypatch,
        plan=plan("update"),
        failing="up",
        history=[*failed, update(time="08:30", api="aaaaaaaaaa", worker="bbbbbbbbbb"), served],
        records=update("failed", time="11:00", api="third", worker="third"),
    ) as calls:
        result = release("--api", "third")
    assert result.exit_code == 1
    assert "api: aaaaaaaaaa → third" in result.output
    assert "worker: bbbbbbbbbb → third" in result.output
    assert "To roll back to the last complete release: make release STACK=prod API=aaaaaaaaaa WORKER=bbbbbbbbbb" in (
        result.output
    )
    assert calls.read_text().splitlines() == [
        "up --stack prod --yes --skip-preview --refresh --run-program --message Release api third, worker third"
    ]
    assert {f"{app}: {pinned(app, 'third')}" for app in ("api", "worker")} <= set(changed(settings))


def test_an_update_that_the_engine_does_not_start_restores_the_settings(
    settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # For example, because another update holds the lock of the state: the history has no new entry.
    with fake_engine(tmp_path, monkeypatch, plan=plan("update"), failing="up", history=[update()]) as calls:
        result = release("--api", "0a1b2c3d4e")
    assert result.exit_code == 1
    assert "the engine did not start the update" in result.output
    assert "Pulumi.prod.yaml has the old images again" in result.output
    assert settings.read_text() == SETTINGS
    assert calls.read_text() == f"up --stack prod --yes --skip-preview --message {MESSAGE}\n"


@pytest.mark.usefixtures("settings", "calls")
def test_a_release_names_the_file_to_commit() -> None:
    result = release("--api", "0a1b2c3d4e")
    assert "Commit Pulumi.prod.yaml: until then, CI's drift check reports the new tags" in result.output


def test_a_field_that_was_changed_by_hand_is_named_with_the_way_to_put_it_back(
    settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_engine(tmp_path, monkeypatch, plan=plan("update", error=CONFLICT)) as calls:
        result = release("--api", "0a1b2c3d4e")
    assert result.exit_code == 1
    assert "kubectl changed .spec.replicas outside of this program." in result.output
    assert "run the same command with REFRESH=1" in result.output
    assert "https://" not in result.output
    assert settings.read_text() == SETTINGS
    assert not calls.exists()


@pytest.mark.usefixtures("settings")
def test_a_release_with_a_refresh_puts_manual_changes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_engine(tmp_path, monkeypatch, plan=plan("update"), history=[update()], records=update()) as calls:
        result = release("--api", "0a1b2c3d4e", "--refresh")
    assert result.exit_code == 0, result.output
    assert calls.read_text().splitlines() == [
        f"up --stack prod --yes --skip-preview --refresh --run-program --message {MESSAGE}"
    ]


def current_tag(app: str) -> str:
    (tag,) = re.findall(rf"^    {app}: (\S+)$", SETTINGS, re.M)
    return str(tag)
