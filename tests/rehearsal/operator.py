"""The operator's own commands, typed in a world, and a checkout to edit."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from rehearsal.world.world import World
from tests.recipes import EXAMPLE


def ops(
    world: World, *arguments: str, answer: str = "", extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`python -m rehearsal ops …`; its words in one stream, lines of any length."""
    with world.ops_command(*arguments) as (command, environment):
        return subprocess.run(
            command,
            cwd=world.project,
            env={**environment, "COLUMNS": "400", **(extra or {})},
            input=answer,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


def editable_copy(project: Path) -> Path:
    """The program with the settings of the tests, and what stands around it, in a folder where a test may change it."""
    for name in ("__main__.py", "Pulumi.yaml", "Pulumi.prod.yaml"):
        shutil.copy(EXAMPLE / name, project / name)
    for name in ("infra", "ops", "policy"):
        shutil.copytree(EXAMPLE / name, project / name, ignore=shutil.ignore_patterns(".venv", "__pycache__"))
    return project


def edit(world: World, path: str, old: str, new: str) -> None:
    """Changes the one place of a file that reads so."""
    file = world.project / path
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
