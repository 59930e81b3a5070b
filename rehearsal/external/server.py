"""A server outside of the cluster that serves TLS."""

import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rehearsal import pki
from rehearsal.external_authority import external_authority
from rehearsal.layout import Layout
from rehearsal.processes import processes
from rehearsal.processes.readiness import wait_until_ready

SERVER_VARIABLE = "HONEYDUE_EXTERNAL_SERVER"
"""The environment variable of the server's process, so that it can be stopped without the rest of the world."""
START_SECONDS = 30.0
TIMEOUT_SECONDS = 10.0
"""The timeout of a request."""


@dataclass(frozen=True, kw_only=True)
class ExternalServer(ABC):
    """A server of one world. It ends with the world, and its data remains in the world's folder.

    `address` is in the caller's network namespace and must already be assigned to a network interface.
    """

    name: ClassVar[str]
    layout: Layout
    address: str

    @property
    @abstractmethod
    def host(self) -> str:
        """The host name by which pods connect to the server."""

    @property
    def addresses(self) -> dict[str, str]:
        """The address by host name, for the DNS of the cluster."""
        return {self.host: self.address}

    @property
    def folder(self) -> Path:
        return self.layout.folder / "external" / self.name

    def start(self) -> None:
        """Starts the server with the data that it had. Returns when it responds."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        certificate = external_authority().issue(
            self.folder, "server", common_name=self.host, hosts=[self.host, self.address]
        )
        process = self._run(self.command(certificate), name=self.name)
        log = self.layout.logs / f"{self.name}.log"
        wait_until_ready(self.name, self.probe, process=process, log=log, timeout=START_SECONDS)

    def stop(self) -> None:
        """Ends the server with SIGTERM, so that it first stores what it has accepted. Connections are then refused."""
        processes.terminate(SERVER_VARIABLE, str(self.folder))

    @abstractmethod
    def command(self, certificate: pki.KeyPair) -> list[str]:
        """The command line of the server. It may write files into `folder`."""

    @abstractmethod
    def probe(self) -> None:
        """Sends a request. Raises an OSError while the server does not respond."""

    def _run(self, command: list[str], *, name: str, **variables: str) -> subprocess.Popen[bytes]:
        # Not the operator's environment, which may contain a proxy and options of these programs.
        environment = {SERVER_VARIABLE: str(self.folder), **variables}
        return processes.start(self.layout, name, command, environment=environment)
