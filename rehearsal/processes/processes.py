"""The processes of a world. Each has its own session and can be found by an environment variable.

The environment variable identifies a process of the world reliably. Unlike a pid file, it is never out of date, so no
other process is ever signalled.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from rehearsal.errors import RehearsalError
from rehearsal.layout import CHECKOUT, Layout
from rehearsal.loopback import without_proxies
from rehearsal.processes import cgroups

WORLD_VARIABLE = "HONEYDUE_WORLD_PROCESS"
"""The environment variable of every process of a world. Its value is the world's folder.

Not SHELL_VARIABLE: the operator's shell must not be killed.
"""
SHELL_VARIABLE = "HONEYDUE_WORLD"
"""The environment variable of a shell in a world, with the same value."""
ENGINE_PROGRAMS = ("pulumi", "launcher.py")
END_SECONDS = 10.0


def world_environment(layout: Layout, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment, by default the current one without proxies, and the world's variable.

    The processes end with the world. An environment that is passed keeps its proxy: Traefik reaches its backend by one.
    """
    inherited = without_proxies(os.environ) if environment is None else environment
    return {**inherited, WORLD_VARIABLE: str(layout.folder)}


def start(
    layout: Layout, name: str, command: Sequence[str], *, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a program that keeps running when this process ends. It logs to `logs/<name>.log` of the world."""
    return start_detached(
        command,
        log=layout.logs / f"{name}.log",
        folder=layout.folder,
        environment=world_environment(layout, environment),
    )


def start_detached(
    command: Sequence[str], *, log: Path, folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Starts a program in its own session, with exactly this environment. Its output is appended to `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=environment,
            # In its own session it receives neither Ctrl-C nor the hang-up of a closed terminal.
            start_new_session=True,
        )


def running(layout: Layout) -> list[psutil.Process]:
    """All running processes of the world, except this process and its parents."""
    return find(WORLD_VARIABLE, str(layout.folder))


def _engine_processes(layout: Layout) -> list[psutil.Process]:
    """The processes of the engine that were started in a shell of the world, for example by a killed `pulumi up`."""
    return [process for process in find(SHELL_VARIABLE, str(layout.folder)) if _is_of_engine(process)]


def _is_of_engine(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        # The engine, its language host and plugins, the program, and the launcher of a simulated plugin.
        return any(Path(argument).name.startswith(ENGINE_PROGRAMS) for argument in process.cmdline()[:4])
    return False


def find(variable: str, value: str) -> list[psutil.Process]:
    """All running processes whose environment contains `variable=value`, except this process and its parents."""
    excluded = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in excluded and _has_variable(process, variable, value)
    ]


def _has_variable(process: psutil.Process, variable: str, value: str) -> bool:
    with suppress(psutil.Error):
        return process.environ().get(variable) == value and _is_running(process)
    return False


def stop(layout: Layout) -> int:
    """Kills every process of the world and removes its control groups. Returns the number of processes."""
    count = _kill(lambda: [*running(layout), *_engine_processes(layout)])
    cgroups.remove(layout)
    return count


def kill(variable: str, value: str) -> int:
    """Kills all processes that `find` returns, and returns their number."""
    return _kill(lambda: find(variable, value))


def terminate(variable: str, value: str) -> None:
    """Sends SIGTERM to all processes that `find` returns, and waits until they have ended."""
    ending = find(variable, value)
    for process in ending:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    if not _wait_until_ended(ending):
        raise RehearsalError(f"process {ending[0].pid} did not end within {END_SECONDS:.0f} s of SIGTERM")


def _kill(find_processes: Callable[[], Sequence[psutil.Process]]) -> int:
    pids: set[int] = set()
    # Repeat until there are none: a process may have started another one in the meantime.
    while processes := find_processes():
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                # SIGKILL loses nothing that a process has written. With SIGTERM, the API server takes 10 s to end.
                process.kill()
        if not _wait_until_ended(processes):
            raise RehearsalError(f"process {processes[0].pid} did not end within {END_SECONDS:.0f} s of SIGKILL")
        pids.update(process.pid for process in processes)
    return len(pids)


def _wait_until_ended(processes: Sequence[psutil.Process]) -> bool:
    # Not psutil.wait_procs: a child of another running process stays a zombie, for which it would wait forever.
    retrying = Retrying(retry=retry_if_result(bool), stop=stop_after_delay(END_SECONDS), wait=wait_fixed(0.02))
    try:
        retrying(lambda: any(map(_is_running, processes)))
    except RetryError:
        return False
    return True


def _is_running(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


class Watchdog:
    """Stops the world when this process ends for any reason, because this closes the watchdog's standard input."""

    def __init__(self, layout: Layout) -> None:
        environment = {name: value for name, value in os.environ.items() if name != WORLD_VARIABLE}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rehearsal.processes.watchdog", str(layout.folder)],
            stdin=subprocess.PIPE,
            cwd=CHECKOUT,
            env=environment,
            # In its own session, because the Ctrl-C that ends this process must not end the watchdog.
            start_new_session=True,
        )

    def stop_world(self) -> None:
        """Makes the watchdog stop the world now, and waits until it has."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()
