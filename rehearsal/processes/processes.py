"""The processes of a world: started in sessions of their own, found by a mark in their environment, ended for certain.

The mark is what makes a process ours: no pid file can be stale, and no other process is ever signalled.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from rehearsal.errors import RehearsalError
from rehearsal.layout import CHECKOUT, Layout
from rehearsal.processes import cgroups

MARK = "HONEYDUE_WORLD_PROCESS"
"""Set to the world's folder for everything started here. Not HONEYDUE_WORLD, which a person's own shell may hold."""
END_SECONDS = 10.0


def world_environment(layout: Layout, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment whose processes are the world's, and end with it."""
    return {**(os.environ if environment is None else environment), MARK: str(layout.folder)}


def start(
    layout: Layout, name: str, command: Sequence[str], *, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a program that outlives its starter, its words in `logs/<name>.log`."""
    return start_detached(
        command,
        log=layout.logs / f"{name}.log",
        folder=layout.folder,
        environment=world_environment(layout, environment),
    )


def start_detached(
    command: Sequence[str], *, log: Path, folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Starts a program in exactly this environment."""
    with log.open("ab") as words:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            cwd=folder,
            env=environment,
            # Its own session: neither Ctrl-C nor a closed terminal reaches it.
            start_new_session=True,
        )


def running(layout: Layout) -> list[psutil.Process]:
    """Every living process of the world, the one that asks and its parents excepted."""
    return find(MARK, str(layout.folder))


def find(mark: str, value: str) -> list[psutil.Process]:
    """Every living process that has this in its environment, the one that asks and its parents excepted."""
    asking = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [
        process for process in psutil.process_iter() if process.pid not in asking and _carries(process, mark, value)
    ]


def _carries(process: psutil.Process, mark: str, value: str) -> bool:
    with suppress(psutil.Error):
        return process.environ().get(mark) == value and _lives(process)
    return False


def stop(layout: Layout) -> int:
    """Ends every process of the world, and what the kernel keeps of them; returns how many there were."""
    ended = kill(MARK, str(layout.folder))
    cgroups.remove(layout)
    return ended


def kill(mark: str, value: str) -> int:
    """Ends every process that has this in its environment, and returns how many there were."""
    ended: set[int] = set()
    # Again until none is found: one may have started another in between.
    while found := find(mark, value):
        for process in found:
            with suppress(psutil.NoSuchProcess):
                # Killed at once: nothing is lost but with the machine's power, and a polite API server takes 10 s to end.
                process.kill()
        if not _all_gone(found):
            raise RehearsalError(f"process {found[0].pid} of {value} does not end, not even when killed")
        ended.update(process.pid for process in found)
    return len(ended)


def _all_gone(processes: Sequence[psutil.Process]) -> bool:
    # Asked again and again: an ended child of a living starter stays a zombie, and to wait for its end would take for ever.
    try:
        Retrying(retry=retry_if_result(bool), stop=stop_after_delay(END_SECONDS), wait=wait_fixed(0.02))(
            _alive, processes
        )
    except RetryError:
        return False
    return True


def _alive(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if _lives(process)]


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


class Guard:
    """A process that ends the world when its starter is gone, however that went: it waits for the end of a pipe."""

    def __init__(self, layout: Layout) -> None:
        environment = {name: value for name, value in os.environ.items() if name != MARK}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rehearsal.processes.guard", str(layout.folder)],
            stdin=subprocess.PIPE,
            cwd=CHECKOUT,
            env=environment,
            # Its own session: the Ctrl-C that ends the starter must not end the guard.
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """Lets it end the world now, and waits for that."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()
