"""`python3 -m backup COMMAND`: one command, and one line if it fails."""

import os
import signal
import sys
from collections.abc import Callable, Mapping

from . import restore, scratch
from .dump import dump
from .errors import BackupError


def _create() -> None:
    scratch.create(os.environ["PGDATABASE"])


def _check_target() -> None:
    restore.check_target(sys.stdin.read())


def _check() -> None:
    print(restore.check(sys.stdin.read()))


def _count() -> None:
    contents = restore.current()
    print(len(contents.tables), contents.rows)


COMMANDS: Mapping[str, Callable[[], None]] = {
    "dump": dump,
    "serve": scratch.serve,
    "create": _create,
    "check-target": _check_target,
    "restore": restore.restore,
    "check": _check,
    "count": _count,
    "finish": scratch.finish,
}


def main(arguments: list[str]) -> int:
    """Runs the command. Returns its exit code."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"usage: {'|'.join(COMMANDS)}", file=sys.stderr)
        return 2
    # Process 1 of a container ignores SIGTERM unless it has a handler. With it, rclone can abort its upload.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        COMMANDS[arguments[0]]()
    except BackupError as error:
        print(f"backup: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
