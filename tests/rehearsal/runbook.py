"""Runs the commands of a page in docs/, in the shell that the page names."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rehearsal.engine.environment import environment as environment_of
from rehearsal.layout import CHECKOUT
from rehearsal.world.world import World
from tests.rehearsal.bootstrapped import machine

OPERATOR = "operator"


@dataclass(frozen=True, kw_only=True)
class Block:
    """Commands and the shell that runs them: "operator", or the alias of a node."""

    shell: str
    text: str


def blocks(page: str, heading: str) -> list[Block]:
    """The code blocks ```sh SHELL of a section, in their order. Never empty."""
    text = (CHECKOUT / "docs" / page).read_text()
    (section,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    result = [
        Block(shell=shell, text=body) for shell, body in re.findall(r"^```sh (\w+)\n(.*?)^```$", section, re.M | re.S)
    ]
    assert result, f"docs/{page} has no commands under {heading}"
    return result


def headings(page: str) -> list[str]:
    """The sections that contain commands for the operator."""
    sections = re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", (CHECKOUT / "docs" / page).read_text(), re.M | re.S)
    return [heading for heading, body in sections if re.search(rf"^```sh {OPERATOR}$", body, re.M)]


def run(world: World, block: Block, environment: Mapping[str, str] | None = None, prefix: Sequence[str] = ()) -> str:
    """Runs a block and returns its stdout. Raises AssertionError when one of its commands fails.

    `prefix` is a command that runs the operator's shell.
    """
    if block.shell == OPERATOR:
        completed = _run_as_operator(world, block, environment or {}, prefix)
    else:
        completed = _run_on_node(world, block, environment or {})
    assert completed.returncode == 0, f"{block.shell}: {block.text}\n{completed.stdout}{completed.stderr}"
    return completed.stdout


def _run_as_operator(
    world: World, block: Block, environment: Mapping[str, str], prefix: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    """In the checkout, with the environment of `python -m rehearsal env` and without confirmations."""
    options = {"PULUMI_SKIP_CONFIRMATIONS": "true", "PULUMI_OPTION_SKIP_PREVIEW": "true"}
    # The program of the world may be a copy without the Makefile and the .venv. Without --old-file, make would create
    # the latter again.
    options |= {"PYTHONPATH": str(CHECKOUT)}
    makefile = f"--file='{CHECKOUT}/Makefile' --old-file=.venv/ready VENV='{CHECKOUT}/.venv/bin'"
    make = f'make() {{ command make {makefile} "$@"; }}\n'
    variables = {**environment_of(world.layout), **options, **environment}
    return _shell(make + block.text, world.project, variables, answers="y\n", prefix=prefix)


def _run_on_node(world: World, block: Block, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    host = machine(world, block.shell)
    # The file system of a simulated machine is a folder, so absolute paths start there.
    text = re.sub(r"(?<=\s)/(?=(etc|var)/)", '"$ROOT"/', block.text)
    return _shell(text, host.folder, {**host.environment(), **environment})


def _shell(
    text: str, folder: Path, environment: Mapping[str, str], answers: str = "", prefix: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, "/bin/sh", "-euc", text],
        cwd=folder,
        env=environment,
        input=answers,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
