"""A real image registry on loopback: distribution, with a login and without TLS."""

import subprocess
from typing import Self

import bcrypt
import requests
import yaml

from rehearsal.layout import Layout
from rehearsal.loopback import LOOPBACK
from rehearsal.processes import processes
from rehearsal.processes.ports import free_ports
from rehearsal.processes.readiness import wait_until_ready
from tools.cache import executable

NAME = "distribution"
USERNAME = "rehearsal"
START_SECONDS = 30.0
TIMEOUT_SECONDS = 5
BCRYPT_ROUNDS = 4
"""The lowest number: the registry checks the password in every request."""


class ImageRegistry:
    """Runs inside a `with` block, and ends with its world at the latest.

    Attributes:
        url: its address.
    """

    url: str

    def __init__(self, layout: Layout, *, username: str = USERNAME, password: str) -> None:
        self._layout = layout
        self._username = username
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        folder = self._layout.folder / "external" / NAME
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        address = f"{LOOPBACK}:{free_ports([NAME])[NAME]}"
        self.url = f"http://{address}"
        password = bcrypt.hashpw(self._password.encode(), bcrypt.gensalt(BCRYPT_ROUNDS)).decode()
        (folder / "htpasswd").write_text(f"{self._username}:{password}\n")
        configuration = {
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "auth": {"htpasswd": {"realm": NAME, "path": str(folder / "htpasswd")}},
            "http": {"addr": address},
        }
        file = folder / "config.yml"
        file.write_text(yaml.safe_dump(configuration))
        self._process = processes.start(
            self._layout, NAME, [str(executable(NAME, "registry")), "serve", str(file)], environment={}
        )
        log = self._layout.logs / f"{NAME}.log"
        wait_until_ready(NAME, self._request, process=self._process, log=log, timeout=START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the registry. Connections are refused from then on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _request(self) -> None:
        # A requests.RequestException is an OSError.
        requests.get(f"{self.url}/v2/", timeout=TIMEOUT_SECONDS)
