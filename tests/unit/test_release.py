"""A release edits the tags it is told, agreed to or not at all, and leaves the rest of the settings to the letter."""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ops.__main__ import cli
from tests.recipes import EXAMPLE
from tests.unit.fake_engine import fake_engine, plan

SETTINGS = (EXAMPLE / "Pulumi.prod.yaml").read_text()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tests' own."""
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(SETTINGS)
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(file))
    return file


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What the engine was asked to do, where a plan changes something harmless."""
    with fake_engine(tmp_path, monkeypatch, plan=plan("update")) as asked:
        yield asked


def release(*arguments: str, answer: str = "y\n") -> Result:
    return CliRunner().invoke(cli, ["release", "--stack", "prod", *arguments], input=answer)


def changed(file: Path) -> list[str]:
    """The lines that are new."""
    return [
        line[2:].strip()
        for line in difflib.ndiff(SETTINGS.splitlines(), file.read_text().splitlines())
        if line.startswith("+ ")
    ]


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["--api", "0a1b2c3d4e"], ["api: 0a1b2c3d4e", "worker: 0a1b2c3d4e"]),
        (["--api", "0a1b2c3d4e", "--worker", "ffffffffff"], ["api: 0a1b2c3d4e", "worker: ffffffffff"]),
        (["--worker", "0a1b2c3d4e"], ["worker: 0a1b2c3d4e"]),
        (["--admin", "0a1b2c3d4e", "--web", "ffffffffff"], ["admin: 0a1b2c3d4e", "web: ffffffffff"]),
        # A commit that YAML would read as a number.
        (["--web", "1234567890"], ["web: '1234567890'"]),
        (["--web", "12345e6789"], ["web: '12345e6789'"]),
    ],
)
def test_the_named_tags_change_and_nothing_else(
    settings: Path, asked: Path, arguments: list[str], lines: list[str]
) -> None:
    done = release(*arguments)
    assert done.exit_code == 0, done.output
    assert changed(settings) == lines
    assert asked.read_text() == "up --stack prod --yes --skip-preview\n"


@pytest.mark.usefixtures("settings", "asked")
def test_what_changes_is_said_before_it_is_asked() -> None:
    (was,) = re.findall(r"^    api: (\S+)$", SETTINGS, re.M)
    done = release("--api", "0a1b2c3d4e")
    assert 0 <= done.output.index(f"api: {was} → 0a1b2c3d4e") < done.output.index("Release this to prod?")


def test_declined_the_settings_are_as_they_were(settings: Path, asked: Path) -> None:
    assert release("--api", "0a1b2c3d4e", answer="n\n").exit_code == 1
    assert settings.read_text() == SETTINGS
    assert not asked.exists()


def test_refused_the_settings_are_as_they_were(settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_engine(tmp_path, monkeypatch, plan=plan("delete")) as asked:
        done = release("--api", "0a1b2c3d4e")
    assert done.exit_code == 1
    assert "Service::api0 would be deleted" in done.output
    assert settings.read_text() == SETTINGS
    assert not asked.exists()


def test_without_a_plan_the_settings_are_as_they_were(
    settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_engine(tmp_path, monkeypatch, plan=plan(error="honeydue:images.api holds 'latest'")) as asked:
        done = release("--api", "latest")
    assert done.exit_code == 1
    assert "honeydue:images.api holds 'latest'" in done.output
    assert settings.read_text() == SETTINGS
    assert not asked.exists()


@pytest.mark.usefixtures("settings", "asked")
def test_nothing_named_is_nothing_released() -> None:
    done = release()
    assert done.exit_code == 2
    assert "name at least one image" in done.output


@pytest.mark.usefixtures("asked")
def test_settings_without_images_are_named(settings: Path) -> None:
    settings.write_text("config:\n  honeydue:images:\n    web: a\n")
    done = release("--api", "0a1b2c3d4e")
    assert done.exit_code == 1
    assert "Pulumi.prod.yaml has no honeydue:images.api, honeydue:images.worker" in done.output
