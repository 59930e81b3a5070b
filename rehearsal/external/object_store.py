"""An S3-compatible object store on loopback: versitygw, which checks request signatures."""

import http.client
import ssl
import subprocess
from contextlib import closing
from typing import Self

from rehearsal import pki
from rehearsal.layout import Layout
from rehearsal.loopback import LOOPBACK
from rehearsal.processes import processes
from rehearsal.processes.ports import free_ports
from rehearsal.processes.readiness import wait_until_ready
from tools.cache import executable

NAME = "versitygw"
START_SECONDS = 30.0


class ObjectStore:
    """Runs inside a `with` block, and ends with its world at the latest. With `read_only`, it rejects every write.

    Attributes:
        endpoint: its address as `host:port`. Its certificate is issued by `layout.external_ca`.
    """

    endpoint: str

    def __init__(
        self, layout: Layout, *, region: str, bucket: str, access_key: str, secret_key: str, read_only: bool = False
    ) -> None:
        self._layout = layout
        self._read_only = read_only
        self._environment = {"ROOT_ACCESS_KEY": access_key, "ROOT_SECRET_KEY": secret_key, "VGW_REGION": region}
        self._bucket = bucket
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        folder = self._layout.external_ca.parent
        # versitygw serves each folder below `data` as a bucket.
        (folder / "data" / self._bucket).mkdir(mode=0o700, parents=True, exist_ok=True)
        sidecar = folder / "metadata"
        sidecar.mkdir(mode=0o700, exist_ok=True)
        ca = pki.CertificateAuthority.load_or_create(folder, self._layout.external_ca.stem)
        server = ca.issue(folder, "server", common_name=NAME, hosts=[LOOPBACK])
        self.endpoint = f"{LOOPBACK}:{free_ports([NAME])[NAME]}"
        listen = ["--port", self.endpoint, "--cert", str(server.certificate), "--key", str(server.key), "--quiet"]
        command = [
            str(executable(NAME, NAME)),
            *listen,
            *(["--readonly"] if self._read_only else []),
            "posix",
            "--sidecar",
            str(sidecar),
            str(folder / "data"),
        ]
        log = self._layout.logs / f"{NAME}.log"
        self._process = processes.start(self._layout, NAME, command, environment=self._environment)
        wait_until_ready(NAME, self._request, process=self._process, log=log, timeout=START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _request(self) -> None:
        context = ssl.create_default_context(cafile=self._layout.external_ca)
        with closing(http.client.HTTPSConnection(self.endpoint, context=context, timeout=5)) as connection:
            connection.request("GET", "/")
            connection.getresponse()
