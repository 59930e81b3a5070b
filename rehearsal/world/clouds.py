"""The process of a world that serves the simulated clouds and provider plugins (`python -m rehearsal.clouds`)."""

import socket
import subprocess
import sys

from rehearsal.clouds import endpoints
from rehearsal.layout import CHECKOUT, Layout
from rehearsal.loopback import LOOPBACK
from rehearsal.processes import processes
from rehearsal.processes.readiness import NotReadyError, wait_until_ready

NAME = "clouds"
START_SECONDS = 30.0


def start(layout: Layout) -> subprocess.Popen[bytes]:
    """Starts the process and returns at once."""
    endpoints.port_file(layout.clouds).unlink(missing_ok=True)
    environment = {**processes.world_environment(layout), "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "rehearsal.clouds", str(layout.clouds)]
    return processes.start(layout, NAME, command, environment=environment)


def wait(layout: Layout, process: subprocess.Popen[bytes]) -> None:
    """Waits until the started process serves."""

    def probe() -> None:
        if not is_running(layout):
            raise NotReadyError

    wait_until_ready(NAME, probe, log=layout.logs / f"{NAME}.log", timeout=START_SECONDS, process=process)


def is_running(layout: Layout) -> bool:
    """Whether the process serves."""
    port = endpoints.port(layout.clouds)
    with socket.socket() as client:
        return port is not None and client.connect_ex((LOOPBACK, port)) == 0
