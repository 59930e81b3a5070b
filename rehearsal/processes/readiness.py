"""Waits until a started program is ready. Every error names the log of the program."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal.errors import RehearsalError
from rehearsal.processes.disk import full_disk

PAUSE_SECONDS = 0.05
LOG_LINE_LENGTH = 300


class NotReadyError(Exception):
    """A probe raises it while the program is not ready. The probe is then repeated."""


class ProgramEndedError(RehearsalError):
    """The program ended before it was ready. `output` is the content of its log."""

    def __init__(self, name: str, log: Path) -> None:
        self.output = log.read_text(errors="replace") if log.exists() else ""
        lines = [line for line in self.output.splitlines() if line.strip()] or ["(the log is empty)"]
        reason = f"{name} ended while it started: {lines[-1][:LOG_LINE_LENGTH]} (log: {log})"
        super().__init__(reason + full_disk(log.parent))


def wait_until_ready(
    name: str,
    probe: Callable[[], object],
    *,
    log: Path,
    timeout: float,
    process: subprocess.Popen[bytes] | None = None,
    retry_on: tuple[type[Exception], ...] = (NotReadyError, OSError),
) -> None:
    """Repeats `probe` until it returns without raising one of `retry_on`.

    Raises a RehearsalError after `timeout` seconds, and ProgramEndedError as soon as `process` ends. Without `process`,
    the program is one that something else restarts.
    """

    def attempt() -> None:
        if process and process.poll() is not None:
            raise ProgramEndedError(name, log)
        probe()

    retrying = Retrying(
        retry=retry_if_exception_type(retry_on), stop=stop_after_delay(timeout), wait=wait_fixed(PAUSE_SECONDS)
    )
    try:
        retrying(attempt)
    except RetryError as error:
        raise RehearsalError(
            f"{name} is not ready after {timeout:.0f} s (log: {log}){full_disk(log.parent)}"
        ) from error
