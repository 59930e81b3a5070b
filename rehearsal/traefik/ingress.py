"""Runs Traefik as the ingress controller of a world's cluster. It serves the Ingresses with HTTPS on loopback.

Traefik has the command line and the ServiceAccount that its chart renders from the HelmChartConfig in the cluster. Two
things differ: it listens on free ports of this machine, and `Backend` answers in place of the pods.
"""

import http.client
import subprocess
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Self

import yaml

from rehearsal.control_plane.flags import traefik_log
from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.layout import Layout
from rehearsal.loopback import LOOPBACK
from rehearsal.pki import write_private
from rehearsal.processes import processes
from rehearsal.processes.ports import free_ports
from rehearsal.processes.readiness import NotReadyError, wait_until_ready
from rehearsal.traefik.backend import Backend
from rehearsal.traefik.chart import NAME, chart_values, command_line, entry_points
from rehearsal.traefik.rbac import NAMESPACE, manifests
from tools.cache import executable

START_SECONDS = 30.0


class IngressController:
    """Runs inside a `with` block, and ends with its world at the latest.

    Attributes:
        ports: the port of each entry point.
        log: Traefik's log and access log, in JSON lines.
    """

    ports: Mapping[str, int]

    def __init__(self, layout: Layout, kubectl: Kubectl) -> None:
        self._layout = layout
        self._kubectl = kubectl
        self._values = chart_values(kubectl)
        self._backend = Backend()
        self._process: subprocess.Popen[bytes] | None = None
        self.log: Path = layout.logs / f"{NAME}.log"

    def __enter__(self) -> Self:
        self.ports = free_ports(entry_points(self._values))
        self._kubectl.apply(manifests(self._values))
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

    def publish_log(self, *, since: int = 0) -> int:
        """Makes the log from this offset on the log of Traefik's pods in the cluster. Returns the offset of its end."""
        with self.log.open() as log:
            log.seek(since)
            now = datetime.now(UTC).isoformat()
            lines = [f"{now} stdout F {line}" for line in log]
            traefik_log(self._layout.folder).write_text("".join(lines))
            return log.tell()

    def _start(self) -> None:
        kubeconfig = self._layout.pki / f"{NAME}.kubeconfig"
        write_private(kubeconfig, self._account_kubeconfig().encode())
        self._process = processes.start(
            self._layout,
            NAME,
            [str(executable(NAME, NAME)), *command_line(self._values, listen=self.ports)],
            # Not the operator's environment: its proxy and Kubernetes variables would redirect Traefik.
            environment={
                "KUBECONFIG": str(kubeconfig),
                "HTTP_PROXY": self._backend.url,
            },
        )
        wait_until_ready("Traefik", self._ping, process=self._process, log=self.log, timeout=START_SECONDS)

    def _account_kubeconfig(self) -> str:
        """The operator's kubeconfig, with the token of Traefik's ServiceAccount as the only credential."""
        config = yaml.safe_load(self._kubectl.kubeconfig.read_text())
        token = self._kubectl.run("create", "token", NAME, f"--namespace={NAMESPACE}")
        config["users"] = [{"name": user["name"], "user": {"token": token.strip()}} for user in config["users"]]
        return yaml.safe_dump(config)

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
