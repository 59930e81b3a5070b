"""Ends a world when the process that started it is gone: `python -m rehearsal.processes.guard FOLDER`, a pipe as its input."""

import sys
from pathlib import Path

from rehearsal.layout import Layout
from rehearsal.processes.processes import stop


def main() -> None:
    # Returns when the other end is closed, which the system does for a killed process too.
    sys.stdin.buffer.read()
    stop(Layout(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
