"""The commands of docs/architecture.md, typed: the engine changes the settings as tests/recipes.py changes them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.recipes import EXAMPLE, ROOT, SETTINGS, checkout, recipe


def config(folder: Path, file: str | Path) -> Any:
    return yaml.safe_load((folder / file).read_text())["config"]


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A checkout in which the stack prod was created, as on the first day: the engine has rewritten the settings."""
    folder = checkout(tmp_path / "typed")
    (tmp_path / "state").mkdir()
    pulumi(folder, "stack", "init", "prod", "--secrets-provider=passphrase")
    return folder


def pulumi(folder: Path, *arguments: str) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PULUMI_HOME": str(folder.parent / "home"),
        "PULUMI_BACKEND_URL": f"file://{folder.parent / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "of a test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_STACK": "prod",
    }
    command = [sys.executable, "-m", "tools.run", "pulumi", *arguments, "--non-interactive"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["Add a node", "Add a service", "Bootstrap a new cluster"])
def test_the_engine_takes_the_commands_and_changes_the_same(name: str, stack: Path, tmp_path: Path) -> None:
    followed, before = recipe(name), config(stack, SETTINGS)
    followed.apply(interpreted := checkout(tmp_path / "interpreted"))
    assert followed.commands
    for command in followed.commands:
        pulumi(stack, "config", *command)
    assert config(stack, SETTINGS) == config(interpreted, SETTINGS) != before
    own = EXAMPLE.relative_to(ROOT) / SETTINGS
    assert config(stack, own) == config(interpreted, own)
