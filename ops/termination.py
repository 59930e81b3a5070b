"""Lets a command clean up when it is terminated, for example because its terminal was closed."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGHUP)
"""Beside SIGINT, which raises a KeyboardInterrupt. By default, they end the process without its `finally` blocks."""


@contextmanager
def exit_on_termination() -> Iterator[None]:
    """Exits as `sys.exit` does when the process receives one of the signals in the block."""
    before = {number: signal.signal(number, _exit) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
