"""Waits for a state of the cluster that only its API shows."""

from collections.abc import Callable

import pulumi
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from infra.threads import in_thread


async def wait_for(
    check: Callable[[], None], *, retry_on: type[Exception], seconds: float, interval: float, message: str
) -> None:
    """Calls `check` in a thread until it raises no `retry_on`, and raises the last one after `seconds`.

    The engine prints the message if the first call fails.
    """
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(retry_on),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(interval),
        before_sleep=lambda state: pulumi.log.info(message) if state.attempt_number == 1 else None,
        reraise=True,
    )
    await retrying(in_thread, check)
