"""Stops a world when the process that started it has ended: `python -m rehearsal.processes.watchdog FOLDER`."""

import sys
from pathlib import Path

from rehearsal.layout import Layout
from rehearsal.processes.processes import stop


def main() -> None:
    # Standard input is a pipe from that process. The kernel closes it even when the process is killed.
    sys.stdin.buffer.read()
    stop(Layout(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
