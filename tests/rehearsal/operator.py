"""Runs the operator's commands in a world, and edits a copy of the program."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from rehearsal.world.world import World
from tests.recipes import EXAMPLE


def ops(
    world: World,
    *arguments: str,
    answer: str = "",
    extra: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """Runs `python -m rehearsal ops …`, with stdout and stderr in one stream and without line breaks.

    `prefix` is a command that runs the rest of its command line.
    """
    command, environment = world.ops_command(*arguments)
    return subprocess.run(
        [*prefix, *command],
        cwd=world.project,
        env={**environment, "COLUMNS": "400", **(extra or {})},
        input=answer,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def start_ops(
    world: World, *arguments: str, extra: Mapping[str, str] | None = None, prefix: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Starts the command and returns at once, so that `press_ctrl_c` can interrupt it."""
    command, environment = world.ops_command(*arguments)
    return subprocess.Popen(
        [*prefix, *command],
        cwd=world.project,
        env={**environment, "COLUMNS": "400", **(extra or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def press_ctrl_c(process: subprocess.Popen[str]) -> str:
    """Interrupts the command and all its children, as a terminal does, and returns its output."""
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    return output


def editable_copy(project: Path) -> Path:
    """Copies the program with the example settings to a folder where a test can edit it."""
    for name in ("__main__.py", "Pulumi.yaml", "Pulumi.prod.yaml"):
        shutil.copy(EXAMPLE / name, project / name)
    for name in ("infra", "ops", "policy"):
        shutil.copytree(EXAMPLE / name, project / name, ignore=shutil.ignore_patterns(".venv", "__pycache__"))
    return project


def edit(world: World, path: str, old: str, new: str) -> None:
    """Replaces a text that occurs exactly once in a file of the project."""
    file = world.project / path
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def announced_restarts(output: str) -> set[str]:
    """The workloads that the next `up` restarts, according to the output of `adopt`."""
    _, _, after = output.partition("The next up restarts:\n")
    lines = after.splitlines()
    return {
        line.split()[0]
        for line in lines[: next(index for index, line in enumerate(lines) if not line.startswith("  "))]
    }
