"""The commands of a page under docs/, run where the page says."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rehearsal.engine.environment import environment as environment_of
from rehearsal.layout import CHECKOUT
from rehearsal.world.world import World
from tests.rehearsal.founded import machine

OPERATOR = "operator"


@dataclass(frozen=True, kw_only=True)
class Block:
    """Commands, and whose shell they are for: the operator's or that of a node, by alias."""

    where: str
    text: str


def blocks(page: str, heading: str) -> list[Block]:
    """The blocks ```sh WHERE of one section, in their order; never none."""
    text = (CHECKOUT / "docs" / page).read_text()
    (section,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    found = [
        Block(where=where, text=body) for where, body in re.findall(r"^```sh (\w+)\n(.*?)^```$", section, re.M | re.S)
    ]
    assert found, f"docs/{page} has no commands under {heading}"
    return found


def headings(page: str) -> list[str]:
    """The sections that hold commands to run."""
    parts = re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", (CHECKOUT / "docs" / page).read_text(), re.M | re.S)
    return [heading for heading, body in parts if re.search(rf"^```sh {OPERATOR}$", body, re.M)]


def run(world: World, block: Block, environment: Mapping[str, str] | None = None) -> str:
    """Runs one block and returns what it printed; fails as soon as one of its commands does."""
    command = _by_operator if block.where == OPERATOR else _on_node
    done = command(world, block, environment or {})
    assert done.returncode == 0, f"{block.where}: {block.text}\n{done.stdout}{done.stderr}"
    return done.stdout


def _by_operator(world: World, block: Block, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """In the checkout, in a shell after `python -m rehearsal env`. Nobody is there to look at a preview and say yes."""
    said = {"PULUMI_SKIP_CONFIRMATIONS": "true", "PULUMI_OPTION_SKIP_PREVIEW": "true"}
    # The tests run in a finished .venv; whether make would call it old is no business of a runbook.
    make = 'make() { command make --old-file=.venv/ready "$@"; }\n'
    return _shell(
        make + block.text, world.project, {**environment_of(world.layout), **said, **environment}, answers="y\n"
    )


def _on_node(world: World, block: Block, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    host = machine(world, block.where)
    # A node's own paths, which here begin at the machine's folder.
    text = re.sub(r"(?<=\s)/(?=(etc|var)/)", '"$ROOT"/', block.text)
    return _shell(text, host.folder, {**host.environment(), **environment})


def _shell(
    text: str, folder: Path, environment: Mapping[str, str], answers: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-euc", text],
        cwd=folder,
        env=environment,
        input=answers,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
