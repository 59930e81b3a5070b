"""Runs a command with the engine and this checkout's Python first on PATH: `python -m tools.run pulumi preview`."""

import os
import sys
from pathlib import Path
from typing import NoReturn

from tools import official
from tools.needs import Purpose, needed
from tools.program import INTERRUPTED
from tools.programs import BuildError, installed


def main(arguments: list[str]) -> NoReturn:
    """Becomes the command, so that its exit code and its terminal are the caller's."""
    try:
        # With an official Pulumi on PATH, nothing.
        programs = needed([Purpose.OPERATE])
        if notice := official.notice():
            print(notice, file=sys.stderr)
        folders = [installed(program) for program in programs]
        if not all(folder.is_dir() for folder in folders):
            # Here and not above: every command of an operator begins with this one, and seldom is anything missing.
            from tools.build import build_missing, console  # noqa: PLC0415

            build_missing(console(), programs)
            folders = [installed(program) for program in programs]
    except BuildError as error:
        sys.exit(f"tools: {error}")
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        sys.exit(130)
    # The venv first: the built language host takes whatever `python` it finds.
    os.environ["PATH"] = os.pathsep.join([*map(str, [Path(sys.executable).parent, *folders]), os.environ["PATH"]])
    os.execvp(arguments[0], arguments)  # noqa: S606  # no shell is the point


if __name__ == "__main__":
    main(sys.argv[1:])
