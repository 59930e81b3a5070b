"""The operator's own commands, typed in a world."""

import subprocess
import sys

from rehearsal import engine
from rehearsal.world import World


def ops(world: World, *arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    """`python -m ops …` as in a shell after `python -m rehearsal env`; its words in one stream, lines of any length."""
    return subprocess.run(
        [sys.executable, "-m", "ops", *arguments],
        cwd=world.project,
        env=engine.environment(world.layout) | {"COLUMNS": "400"},
        input=answer,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
