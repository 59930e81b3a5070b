"""Runs a command with the engine and this checkout's Python first on PATH: `python -m tools.run pulumi preview`."""

import os
import sys
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from tools.build import build_missing, search_path
from tools.programs import BuildError


def main(arguments: list[str]) -> NoReturn:
    """Becomes the command, so that its exit code and its terminal are the caller's."""
    try:
        build_missing(Console(stderr=True, soft_wrap=True))
    except BuildError as error:
        Console(stderr=True, soft_wrap=True).print(f"[red]tools:[/] {error}", highlight=False)
        sys.exit(1)
    # The venv first: the built language host takes whatever `python` it finds.
    path = os.pathsep.join([str(Path(sys.executable).parent), search_path(), os.environ["PATH"]])
    os.environ["PATH"] = path
    os.execvp(arguments[0], arguments)  # noqa: S606  # no shell is the point


if __name__ == "__main__":
    main(sys.argv[1:])
