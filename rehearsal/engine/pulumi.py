"""Runs the `pulumi` command in a world."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ops.engine.cli import run_in_foreground
from rehearsal.engine.environment import environment
from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout


def run(
    layout: Layout,
    arguments: Sequence[str],
    *,
    project: Path,
    stdin: str = "",
    variables: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs a pulumi command and captures its output. `variables` are added to its environment."""
    return subprocess.run(
        [_executable(layout), *arguments],
        cwd=project,
        env={**environment(layout), **(variables or {})},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def start(
    layout: Layout, arguments: Sequence[str], *, project: Path, variables: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Starts a pulumi command and returns at once. The process has its output in a pipe."""
    return subprocess.Popen(
        [_executable(layout), *arguments],
        cwd=project,
        env={**environment(layout), **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_in_terminal(layout: Layout, arguments: Sequence[str], *, project: Path) -> int:
    """Runs a pulumi command in the operator's terminal and returns its exit code."""
    return run_in_foreground([_executable(layout), *arguments], cwd=project, env=environment(layout))


def _executable(layout: Layout) -> str:
    executable = shutil.which("pulumi", path=environment(layout)["PATH"])
    if executable is None:
        raise RehearsalError("pulumi is not installed: run make tools")
    return executable
