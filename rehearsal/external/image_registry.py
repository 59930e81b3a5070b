"""A real image registry: distribution, with a login."""

import subprocess
from pathlib import Path
from typing import Self

import bcrypt
import requests
import yaml

from rehearsal.external_authority import external_authority
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

    On loopback without TLS, or, with a host name, at port 443 of an address that a network interface already has.

    Attributes:
        url: its address.
    """

    url: str

    def __init__(
        self, layout: Layout, *, username: str = USERNAME, password: str, host: str = "", address: str = LOOPBACK
    ) -> None:
        self._layout = layout
        self._username = username
        self._password = password
        self._host = host
        self._address = address
        self._name = f"{NAME}-{host}" if host else NAME
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        folder = self._layout.folder / "external" / self._name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        port = 443 if self._host else free_ports([NAME])[NAME]
        self.url = f"https://{self._host}" if self._host else f"http://{self._address}:{port}"
        password = bcrypt.hashpw(self._password.encode(), bcrypt.gensalt(BCRYPT_ROUNDS)).decode()
        (folder / "htpasswd").write_text(f"{self._username}:{password}\n")
        configuration = {
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "auth": {"htpasswd": {"realm": NAME, "path": str(folder / "htpasswd")}},
            "http": {"addr": f"{self._address}:{port}", **self._tls(folder)},
        }
        file = folder / "config.yml"
        file.write_text(yaml.safe_dump(configuration))
        self._process = processes.start(
            self._layout, self._name, [str(executable(NAME, "registry")), "serve", str(file)], environment={}
        )
        log = self._layout.logs / f"{self._name}.log"
        wait_until_ready(self._name, self._request, process=self._process, log=log, timeout=START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the registry. Connections are refused from then on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _tls(self, folder: Path) -> dict[str, object]:
        if not self._host:
            return {}
        files = external_authority().issue(folder, "server", common_name=self._host, hosts=[self._host, self._address])
        return {"tls": {"certificate": str(files.certificate), "key": str(files.key)}}

    def _request(self) -> None:
        url = f"https://{self._address}" if self._host else self.url
        # A requests.RequestException is an OSError.
        with requests.Session() as session:
            # No proxy.
            session.trust_env = False
            session.get(f"{url}/v2/", verify=str(external_authority().files.certificate), timeout=TIMEOUT_SECONDS)
