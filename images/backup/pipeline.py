"""Two pipelines of programs that end in error as a whole: a partial dump never looks like a complete one."""

import hashlib
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO

from .errors import BackupError

CHUNK_BYTES = 1 << 20
END_SECONDS = 20.0
"""Less than the 30 s after which the kubelet kills a pod that it stops."""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """What the last program of a pipeline received."""

    bytes: int
    sha256: str


class Pipeline:
    """Programs, of which each reads what the previous one writes.

    A shell's pipe ends the input of the next program also when a program fails. age and rclone would then complete a
    partial dump. Here, the input of a program only ends after the previous one has succeeded; otherwise all are
    terminated, and rclone aborts its upload.
    """

    def __init__(self, commands: Sequence[Sequence[str]]) -> None:
        self._commands = commands
        self._processes: list[subprocess.Popen[bytes]] = []
        self._failure: str | None = None
        self._terminated = False

    def run(self) -> Transfer:
        """Runs all programs. Raises a BackupError that names the first one that failed."""
        digest, size = hashlib.sha256(), 0

        def measure(chunk: bytes) -> None:
            nonlocal size
            digest.update(chunk)
            size += len(chunk)

        with ExitStack() as started:
            started.callback(self._end)
            for number, command in enumerate(self._commands):
                last = number == len(self._commands) - 1
                stdin = subprocess.PIPE if number else subprocess.DEVNULL
                stdout = None if last else subprocess.PIPE
                self._processes.append(subprocess.Popen(command, stdin=stdin, stdout=stdout))
            threads = [
                threading.Thread(target=self._copy, args=[number, measure if last else None], daemon=True)
                for number in range(len(self._commands) - 1)
                for last in [number == len(self._commands) - 2]
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if self._failure is None:
                self._check(len(self._processes) - 1)
            if self._failure is not None:
                raise BackupError(self._failure)
        return Transfer(bytes=size, sha256=digest.hexdigest())

    def _copy(self, number: int, measure: Callable[[bytes], None] | None) -> None:
        """Copies the output of a program to the next one, whose input ends if the program succeeds."""
        name, following = self._commands[number][0], self._commands[number + 1][0]
        try:
            source, target = self._processes[number].stdout, self._processes[number + 1].stdin
            if source is None or target is None:
                raise ValueError("the programs have no pipes")
            _copy_all(source, target, measure)
            self._check(number)
            if self._failure is None:
                target.close()
        except BrokenPipeError:
            # The next program has ended. Its exit code is the reason, unless it was terminated here.
            self._check(number + 1)
            self._fail(f"{following} ended too early")
        except Exception as error:  # otherwise, the next program waits for its input until the deadline of the Job
            self._fail(f"could not copy the output of {name} to {following}: {type(error).__name__}: {error}")

    def _check(self, number: int) -> None:
        code = self._processes[number].wait()
        if code:
            self._fail(f"{self._commands[number][0]} ended with exit code {code} (see above)")

    def _fail(self, reason: str) -> None:
        if self._failure is None:
            self._failure = reason
            self._terminate()

    def _terminate(self) -> None:
        """SIGTERM, on which rclone aborts its multipart upload, so that no unfinished parts remain.

        Only once: a second signal kills rclone while it aborts the upload.
        """
        if self._terminated:
            return
        self._terminated = True
        for process in self._processes:
            if process.poll() is None:
                process.terminate()

    def _end(self) -> None:
        """Terminates all programs and waits for them.

        In a container, this program is process 1. When it exits, the kernel kills all others. rclone would not abort
        its upload, whose parts are invisible and cost as much as others.
        """
        self._terminate()
        deadline = time.monotonic() + END_SECONDS
        for process in self._processes:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _copy_all(source: IO[bytes], target: IO[bytes], measure: Callable[[bytes], None] | None) -> None:
    while chunk := source.read(CHUNK_BYTES):
        if measure:
            measure(chunk)
        target.write(chunk)
    target.flush()
