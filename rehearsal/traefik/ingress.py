"""Runs Traefik as the ingress controller of a world's cluster. It serves the Ingresses with HTTPS on loopback.

Traefik has the command line that its chart renders from the HelmChartConfig in the cluster. Two things differ: it
listens on free ports of this machine, and `Backend` answers in place of the pods.
"""

import http.client
import subprocess
from collections.abc import Mapping
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import Self

from rehearsal.layout import Layout
from rehearsal.loopback import LOOPBACK
from rehearsal.processes import processes
from rehearsal.processes.ports import free_ports
from rehearsal.processes.readiness import NotReadyError, wait_until_ready
from rehearsal.traefik.backend import Backend
from rehearsal.traefik.chart import NAME, Values, command_line, entry_points
from tools.cache import executable

START_SECONDS = 30.0


class IngressController:
    """Runs inside a `with` block, and ends with its world at the latest.

    Attributes:
        ports: the port of each entry point.
        log: Traefik's log and access log, in JSON lines.
    """

    ports: Mapping[str, int]

    def __init__(self, layout: Layout, values: Values) -> None:
        self._layout = layout
        self._values = values
        self._backend = Backend()
        self._process: subprocess.Popen[bytes] | None = None
        self.log: Path = layout.logs / f"{NAME}.log"

    def __enter__(self) -> Self:
        self.ports = free_ports(entry_points(self._values))
        self.log.unlink(missing_ok=True)
        self._backend.start()
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _start(self) -> None:
        self._process = processes.start(
            self._layout,
            NAME,
            [str(executable(NAME, NAME)), *command_line(self._values, listen=self.ports)],
            # Not the operator's environment: its proxy and Kubernetes variables would redirect Traefik.
            environment={
                "KUBECONFIG": str(self._layout.pki / f"{NAME}.kubeconfig"),
                "HTTP_PROXY": self._backend.url,
            },
        )
        wait_until_ready("Traefik", self._ping, process=self._process, log=self.log, timeout=START_SECONDS)

    def _ping(self) -> None:
        # Not urllib, which uses the operator's HTTP proxy.
        with closing(http.client.HTTPConnection(LOOPBACK, self.ports["traefik"], timeout=5)) as connection:
            connection.request("GET", "/ping")
            if connection.getresponse().status != HTTPStatus.OK:
                raise NotReadyError

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._backend.stop()
