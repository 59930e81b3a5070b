"""What is true after a while."""

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal.errors import RehearsalError

T = TypeVar("T")

ERRORS = (AssertionError, OSError, RehearsalError)


def patiently(check: Callable[[], T], *, seconds: float = 30) -> T:
    """What `check` returns as soon as it fails no more; its last error when the time is over."""
    return Retrying(
        retry=retry_if_exception_type(ERRORS), stop=stop_after_delay(seconds), wait=wait_fixed(0.2), reraise=True
    )(check)
