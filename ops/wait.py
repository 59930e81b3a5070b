"""Waits for a condition of the cluster."""

from collections.abc import Callable

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

POLL_SECONDS = 1.0


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Whether the condition is true within this time. An error of the condition is raised at once."""
    retrying = Retrying(
        retry=retry_if_result(lambda result: not result),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(POLL_SECONDS),
    )
    try:
        return bool(retrying(condition))
    except RetryError:
        return False
