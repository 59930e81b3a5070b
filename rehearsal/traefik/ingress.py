"""A real Traefik in front of a world's cluster: it reads the real objects and serves real HTTPS on loopback.

What runs is what the chart would start from the HelmChartConfig as the cluster holds it, but for the ports (free ones of this
machine) and the pods (nothing answers at their addresses: a stub stands for all of them).
"""

import http.client
import socket
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack, closing
from http import HTTPStatus
from pathlib import Path
from typing import Self

import yaml
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal.control_plane import control_plane
from rehearsal.control_plane.flags import LOOPBACK
from rehearsal.errors import RehearsalError
from rehearsal.processes import processes
from rehearsal.traefik.chart import Values, command_line, entry_points
from rehearsal.traefik.stub import Stub
from rehearsal.world.world import World

NAME = "traefik"
START_SECONDS = 30.0


class Ingress:
    """Runs for the length of a `with` block, and never longer than its world.

    Attributes:
        ports: where each of Traefik's entry points listens here.
        log: its log and its access log, JSON lines.
    """

    ports: Mapping[str, int]

    def __init__(self, world: World) -> None:
        self._world = world
        self._stub = Stub()
        self._process: subprocess.Popen[bytes] | None = None
        self.log: Path = world.layout.logs / f"{NAME}.log"

    def __enter__(self) -> Self:
        values = chart_values(self._world)
        self.ports = _free_ports(entry_points(values))
        self.log.unlink(missing_ok=True)
        self._stub.start()
        try:
            self._start(values)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _start(self, values: Values) -> None:
        self._process = processes.start(
            self._world.layout,
            NAME,
            [str(control_plane.binary(NAME, NAME)), *command_line(values, listen=self.ports)],
            # Nothing of the person's own: a Kubernetes or a proxy setting would lead it elsewhere.
            environment={
                "KUBECONFIG": str(self._world.layout.pki / f"{NAME}.kubeconfig"),
                "HTTP_PROXY": self._stub.url,
            },
        )
        try:
            Retrying(
                retry=retry_if_exception_type(OSError), stop=stop_after_delay(START_SECONDS), wait=wait_fixed(0.05)
            )(self._ping)
        except RetryError as error:
            raise RehearsalError(f"Traefik is not ready after {START_SECONDS:.0f} s; its log: {self.log}") from error

    def _ping(self) -> None:
        if self._process is None or self._process.poll() is not None:
            raise RehearsalError(f"Traefik ended while it started; its log: {self.log}")
        # Not urllib, which would ask a proxy of the person's own.
        with closing(http.client.HTTPConnection(LOOPBACK, self.ports["traefik"], timeout=5)) as connection:
            connection.request("GET", "/ping")
            if connection.getresponse().status != HTTPStatus.OK:
                raise ConnectionError

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._stub.stop()


def chart_values(world: World) -> Values:
    """What the cluster holds for k3s' helm-controller."""
    held = world.kubectl_json("get", "helmchartconfig", NAME, "-n", "kube-system")
    values: Values = yaml.safe_load(held["spec"]["valuesContent"])
    return values


def _free_ports(names: tuple[str, ...]) -> dict[str, int]:
    with ExitStack() as held:
        # All held at once, so that no two are the same.
        sockets = {name: held.enter_context(socket.socket()) for name in names}
        for one in sockets.values():
            one.bind((LOOPBACK, 0))
        return {name: one.getsockname()[1] for name, one in sockets.items()}
