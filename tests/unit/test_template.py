"""The key of a template: which changes require a new template, and when an unused one is removed."""

import importlib.util
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rehearsal.world import template
from rehearsal.world.template import Template
from rehearsal.world.world import World
from tools import official, programs
from tools import program as tools_program

CHECKOUT = {
    "__main__.py": "program",
    "Pulumi.yaml": "project",
    "Pulumi.prod.yaml": "settings",
    "infra/edge/zone.py": "program",
    "ops/adoption/command.py": "command",
    "rehearsal/world/world.py": "world",
    "rehearsal/control_plane/kwok/pods.yaml": "stage",
    "requirements.txt": "pulumi==1",
}
OTHERS = {"README.md": "text", "tests/unit/test_example.py": "test", "infra/__pycache__/zone.pyc": "compiled"}
"""Files on which no template depends."""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "checkout"
    for name, text in (CHECKOUT | OTHERS).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(template, "CHECKOUT", folder)
    return folder


def preparation(file: Path, text: str) -> Callable[[World], None]:
    """The function `prepare` of a module with this body."""
    file.write_text(f"def prepare(world):\n    {text}\n")
    spec = importlib.util.spec_from_file_location("preparation", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    prepare: Callable[[World], None] = module.prepare
    return prepare


def key(checkout: Path, *, name: str = "example", text: str = "pass") -> str:
    return Template(name=name, prepare=preparation(checkout.parent / "preparation.py", text), project=checkout).key


def test_the_same_files_result_in_the_same_key(checkout: Path) -> None:
    assert key(checkout) == key(checkout)


@pytest.mark.parametrize("name", CHECKOUT)
def test_a_change_of_program_settings_requirements_or_rehearsal_changes_the_key(checkout: Path, name: str) -> None:
    before = key(checkout)
    (checkout / name).write_text("changed")
    assert key(checkout) != before


@pytest.mark.parametrize("added", ["infra/new.py", "rehearsal/clouds/new.py"])
def test_a_new_file_changes_the_key(checkout: Path, added: str) -> None:
    before = key(checkout)
    (checkout / added).parent.mkdir(exist_ok=True)
    (checkout / added).write_text("")
    assert key(checkout) != before


@pytest.mark.parametrize("name", OTHERS)
def test_a_change_of_other_files_keeps_the_key(checkout: Path, name: str) -> None:
    before = key(checkout)
    (checkout / name).write_text("changed")
    assert key(checkout) == before


def test_another_preparation_or_name_changes_the_key(checkout: Path) -> None:
    assert len({key(checkout), key(checkout, text="world.up()"), key(checkout, name="other")}) == 3


@pytest.mark.parametrize("program", programs.ENGINE + programs.WORLD, ids=lambda program: program.name)
def test_another_version_of_a_tool_changes_the_key(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, program: tools_program.Program
) -> None:
    monkeypatch.setattr(official, "usable", lambda: None)
    shutil.copytree(tools_program.HERE, checkout / "tools")
    monkeypatch.setattr(tools_program, "HERE", checkout / "tools")
    before = key(checkout)
    with (program.folder / "go.sum").open("a") as pins:
        pins.write("another h1:pin=\n")
    assert key(checkout) != before


def test_another_official_engine_changes_the_key(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(official, "usable", lambda: None)
    before = key(checkout)
    monkeypatch.setattr(
        official, "usable", lambda: official.OfficialPulumi(path="pulumi", version="v3.260.0", runs_python=True)
    )
    assert key(checkout) != before


def test_a_template_unused_for_two_weeks_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HONEYDUE_CACHE", str(tmp_path))
    old, new = template.folder() / "example-0123", template.folder() / "example-4567"
    for path in (old, new):
        (path / "pki").mkdir(parents=True)
    days = (template.UNUSED_DAYS + 1) * 24 * 60 * 60
    os.utime(old, (time.time() - days, time.time() - days))
    template.remove_unused()
    assert (old.exists(), new.exists()) == (False, True)
    assert [path for path in template.folder().iterdir() if path.is_dir()] == [new]
