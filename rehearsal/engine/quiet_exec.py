"""Replaces `pulumi-language-python-exec`, which the language host runs, and prevents its traceback.

When a resource fails, the engine interrupts the program. The pinned language host is older than this behavior, and its
script prints a traceback after every failure. The original script is beside this file, with the suffix `.real`.
"""

import os
import runpy
import signal
import sys
from pathlib import Path

ORIGINAL = Path(__file__).with_suffix(".real")

if __name__ == "__main__":
    try:
        runpy.run_path(str(ORIGINAL), run_name="__main__")
    except KeyboardInterrupt:
        sys.exit(1)
    finally:
        # At exit, Python waits for the program's threads. An interrupt during this wait would print a traceback too.
        signal.signal(signal.SIGINT, lambda *_: os._exit(1))
