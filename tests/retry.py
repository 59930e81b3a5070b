"""Retries a check until it passes."""

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal.errors import RehearsalError

T = TypeVar("T")

ERRORS: tuple[type[Exception], ...] = (AssertionError, OSError, RehearsalError)


def attempts(*, seconds: float = 30, errors: tuple[type[Exception], ...] = ERRORS) -> Retrying:
    """Attempts for a `for` loop: `for attempt in attempts(): with attempt: …`.

    Ends after the first attempt without an error, and raises the last error after the time-out.
    """
    return Retrying(
        retry=retry_if_exception_type(errors), stop=stop_after_delay(seconds), wait=wait_fixed(0.1), reraise=True
    )


def eventually(check: Callable[[], T], *, seconds: float = 30) -> T:
    """Calls `check` until it raises no error, and returns its result; raises the last error after the time-out."""
    return attempts(seconds=seconds)(check)
