"""The commands of docs/architecture.md change the settings in the same way as tests/recipes.py."""

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
    """A copy of the program after `pulumi stack init prod`, which rewrites the settings."""
    folder = checkout(tmp_path / "stack")
    (tmp_path / "state").mkdir()
    pulumi(folder, "stack", "init", "prod", "--secrets-provider=passphrase")
    return folder


def pulumi(folder: Path, *arguments: str) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PULUMI_HOME": str(folder.parent / "home"),
        "PULUMI_BACKEND_URL": f"file://{folder.parent / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "passphrase-of-a-test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_STACK": "prod",
    }
    command = [sys.executable, "-m", "tools.run", "pulumi", *arguments, "--non-interactive"]
    completed = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr


@pytest.mark.parametrize("name", ["Add a node", "Add a service", "Bootstrap a new cluster"])
def test_pulumi_config_and_the_recipe_change_the_same_settings(name: str, stack: Path, tmp_path: Path) -> None:
    section, before = recipe(name), config(stack, SETTINGS)
    section.apply(applied := checkout(tmp_path / "applied"))
    assert section.commands
    for command in section.commands:
        pulumi(stack, "config", *command)
    assert config(stack, SETTINGS) == config(applied, SETTINGS) != before
    example = EXAMPLE.relative_to(ROOT) / SETTINGS
    assert config(stack, example) == config(applied, example)
