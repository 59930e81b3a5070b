"""A real object store of a world, which takes what is signed with the right key: versitygw on loopback."""

import http.client
import socket
import ssl
import subprocess
from contextlib import closing
from typing import Self

from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal import pki
from rehearsal.control_plane import control_plane
from rehearsal.control_plane.flags import LOOPBACK
from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout
from rehearsal.processes import processes

NAME = "versitygw"
START_SECONDS = 30.0


class ObjectStore:
    """Runs for the length of a `with` block, and never longer than its world. `read_only`, its key is one that may not write.

    Attributes:
        endpoint: where it listens, as `host:port`; what a machine of the world trusts (`layout.external_ca`) vouches for it.
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
        # The gateway's folders are its buckets.
        (folder / "data" / self._bucket).mkdir(mode=0o700, parents=True, exist_ok=True)
        issued = pki.CertificateAuthority.load_or_create(folder, self._layout.external_ca.stem).issue(
            folder, "server", common_name=NAME, hosts=[LOOPBACK]
        )
        with closing(socket.socket()) as chosen:
            chosen.bind((LOOPBACK, 0))
            self.endpoint = f"{LOOPBACK}:{chosen.getsockname()[1]}"
        listen = ["--port", self.endpoint, "--cert", str(issued.certificate), "--key", str(issued.key), "--quiet"]
        if self._read_only:
            listen.append("--readonly")
        sidecar = folder / "metadata"
        sidecar.mkdir(mode=0o700, exist_ok=True)
        command = [
            str(control_plane.binary(NAME, NAME)),
            *listen,
            "posix",
            "--sidecar",
            str(sidecar),
            str(folder / "data"),
        ]
        self._process = processes.start(self._layout, NAME, command, environment=self._environment)
        try:
            Retrying(
                retry=retry_if_exception_type(OSError), stop=stop_after_delay(START_SECONDS), wait=wait_fixed(0.05)
            )(self._ask)
        except RetryError as error:
            raise RehearsalError(f"the object store is not ready; its log: {self._layout.logs / NAME}.log") from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _ask(self) -> None:
        if self._process is None or self._process.poll() is not None:
            raise RehearsalError(f"the object store ended while it started; its log: {self._layout.logs / NAME}.log")
        trust = ssl.create_default_context(cafile=self._layout.external_ca)
        with closing(http.client.HTTPSConnection(self.endpoint, context=trust, timeout=5)) as connection:
            connection.request("GET", "/")
            connection.getresponse()
