"""Runs the uptime Worker in Miniflare, which contains the runtime of Cloudflare Workers."""

import http.client
import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from infra.edge.uptime.durable_object import STATE_CLASS
from infra.edge.uptime.worker import COMPATIBILITY_DATE, COMPATIBILITY_FLAGS, SCRIPT
from tests.retry import eventually
from tools.cache import executable
from tools.npm import NODE

STATUS_TOKEN = "status-token"
STOP_SECONDS = 60
RUN_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Check:
    """A URL of the Worker's configuration, and the response that it expects."""

    name: str
    url: str
    status: int = 200
    body: str | None = None


def bindings(
    checks: Iterable[Check],
    *,
    failures: int = 2,
    timeout_ms: int = 10_000,
    mail: Mapping[str, str] | None = None,
    secrets: Mapping[str, str | None],
) -> Mapping[str, object]:
    """The bindings of the Worker by name, without the Durable Object."""
    config = {"failures": failures, "timeoutMs": timeout_ms, "mail": mail}
    return {
        "CONFIG": {"checks": [asdict(check) for check in checks], **config},
        "STATUS_TOKEN": STATUS_TOKEN,
        **secrets,
    }


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A Worker that runs."""

    url: str
    log_file: Path
    log_start: int

    @property
    def log(self) -> str:
        """What the runtime and the Worker have printed."""
        return self.log_file.read_text()[self.log_start :]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Triggers the cron handler, and waits at the end of the block until it has ended."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=RUN_SECONDS)
        with closing(connection):
            connection.request("GET", "/cdn-cgi/handler/scheduled")
            yield
            response = connection.getresponse()
            assert (response.status, response.read()) == (HTTPStatus.OK, b"ok"), self.log

    def run(self) -> None:
        """Runs the cron handler."""
        with self.running():
            pass

    def wait_for_log(self, text: str) -> None:
        """Waits until the log contains a text: the runtime writes it after the response."""

        def text_is_logged() -> None:
            assert text in self.log

        eventually(text_is_logged)

    def status(self) -> dict[str, Any]:
        """What the Worker returns to a client with the status token."""
        response = requests.get(self.url, headers={"Authorization": f"Bearer {STATUS_TOKEN}"}, timeout=RUN_SECONDS)
        response.raise_for_status()
        status: dict[str, Any] = response.json()
        return status

    def states(self) -> dict[str, str]:
        """The state of each check."""
        return {check["name"]: check["state"] for check in self.status()["checks"]}


class Runtime:
    """A process that runs one Worker at a time."""

    def __init__(self, process: subprocess.Popen[str], log_file: Path) -> None:
        self._process = process
        self._log_file = log_file

    def start(self, values: Mapping[str, object], state: Path, *, script: str | None = None) -> Worker:
        """Runs the Worker with these bindings, in place of the one before. `script` replaces the repository's.

        The state stays in the folder `state`, where another version of the Worker continues with it.
        """
        options = {
            "modules": True,
            "script": script or SCRIPT.read_text(),
            "compatibilityDate": COMPATIBILITY_DATE,
            "compatibilityFlags": COMPATIBILITY_FLAGS,
            "bindings": values,
            "durableObjects": {"STATE": {"className": STATE_CLASS, "useSQLite": True}},
            "durableObjectsPersist": str(state),
            "unsafeTriggerHandlers": True,
            # Miniflare downloads an example of `request.cf` otherwise.
            "cf": False,
        }
        log_start = len(self._log_file.read_text())
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(options), file=self._process.stdin, flush=True)
        url = self._process.stdout.readline().strip()
        assert url.startswith("http://"), self._log_file.read_text()
        return Worker(url=url, log_file=self._log_file, log_start=log_start)


@contextmanager
def runtime(folder: Path, *, trusted_ca: Path | None = None, command: Sequence[str] = ()) -> Iterator[Runtime]:
    """Runs Miniflare until the block ends.

    `trusted_ca` is a certificate authority in addition to those of Node.js. `command` is a prefix of the command, for
    example to run it in another namespace.
    """
    environment = os.environ | {"NODE_PATH": str(executable("miniflare", "node_modules"))}
    if trusted_ca:
        environment["NODE_EXTRA_CA_CERTS"] = str(trusted_ca)
    log_file = folder / "worker.log"
    node, script = executable("miniflare", str(NODE)), Path(__file__).with_name("runtime.cjs")
    with (
        log_file.open("w") as log,
        subprocess.Popen(
            [*command, str(node), str(script)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            yield Runtime(process, log_file)
        finally:
            process.communicate(timeout=STOP_SECONDS)
