"""Runs a command with the engine and this checkout's Python first on PATH: `python -m tools.run pulumi preview`."""

import os
import sys
from pathlib import Path
from typing import NoReturn

from tools import official
from tools.cache import install_folder
from tools.errors import INTERRUPTED, ToolsError
from tools.purposes import Purpose, required_programs


def main(command: list[str]) -> NoReturn:
    """Replaces this process with the command, which then has the caller's terminal and sets the exit code."""
    try:
        # Empty if an official Pulumi CLI is on PATH.
        programs = required_programs(Purpose.OPERATE)
        if notice := official.notice():
            print(notice, file=sys.stderr)
        folders = [install_folder(program) for program in programs]
        if not all(folder.is_dir() for folder in folders):
            # Imported here: every command of an operator starts this module, and programs are rarely missing.
            from tools.console import stderr_console  # noqa: PLC0415
            from tools.install import install_missing  # noqa: PLC0415

            install_missing(stderr_console(), programs)
            folders = [install_folder(program) for program in programs]
    except ToolsError as error:
        sys.exit(f"tools: {error}")
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        sys.exit(130)
    # The virtual environment comes first, because the language host that is built here runs the first `python` on PATH.
    os.environ["PATH"] = os.pathsep.join([*map(str, [Path(sys.executable).parent, *folders]), os.environ["PATH"]])
    os.execvp(command[0], command)  # noqa: S606  # the command needs no shell


if __name__ == "__main__":
    main(sys.argv[1:])
