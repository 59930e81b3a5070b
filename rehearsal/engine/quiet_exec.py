"""Stands for the built language host's own script, which is found beside this file, and ends quietly where that one does not.

After a failed resource the engine interrupts the program. The pinned host is older than the engine's way of doing so, and
its script would print a traceback under every failure.
"""

import os
import runpy
import signal
import sys
from pathlib import Path

REAL = Path(__file__).with_suffix(".real")

if __name__ == "__main__":
    try:
        runpy.run_path(str(REAL), run_name="__main__")
    except KeyboardInterrupt:
        sys.exit(1)
    finally:
        # The program has ended, its threads may not have: interrupted while they are awaited, Python prints a traceback too.
        signal.signal(signal.SIGINT, lambda *_: os._exit(1))
