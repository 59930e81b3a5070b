"""The commands of a page under docs/, run where the page says."""

import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rehearsal.layout import CHECKOUT
from rehearsal.world import World
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
    found = [Block(where=where, text=body) for where, body in re.findall(r"^```sh (\w+)\n(.*?)^```$", section, re.M | re.S)]
    assert found, f"docs/{page} has no commands under {heading}"
    return found


def run(world: World, block: Block, environment: Mapping[str, str] | None = None) -> str:
    """Runs one block and returns what it printed; fails as soon as one of its commands does."""
    if block.where == OPERATOR:
        return "".join(world.pulumi(*command).stdout for command in _pulumi_commands(block.text))
    host = machine(world, block.where)
    # A node's own paths, which here begin at the machine's folder.
    text = re.sub(r"(?<=\s)/(?=(etc|var)/)", '"$ROOT"/', block.text)
    done = subprocess.run(
        ["/bin/sh", "-euc", text],
        cwd=host.folder,
        env={**host.environment(), **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"on {block.where}: {block.text}\n{done.stdout}{done.stderr}"
    return done.stdout


def _pulumi_commands(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        program, verb, *words = shlex.split(line)
        assert program == "pulumi", line
        # Nobody is there to say yes.
        yield [verb, *words, *(["--yes"] if verb in {"up", "refresh"} else []), *(["--skip-preview"] if verb == "up" else [])]
