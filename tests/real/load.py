"""A load generator: sends requests to every node and every app, as Cloudflare does, until its `with` block ends."""

import http.client
import itertools
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Event, Lock, Thread
from time import monotonic
from types import TracebackType
from typing import Self

from tests.rehearsal.edge_client import EdgeClient

PAUSE_SECONDS = 0.01
"""The default between two requests of a thread. Without a pause, the load generator takes the CPU from the pods."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A request that failed or got a status of 400 or higher."""

    node: str
    host: str
    reason: str
    """The error or the status."""
    sent_at: float
    """Monotonic time in seconds."""


class LoadGenerator:
    """Sends requests one after the other, in one thread for each node and path, with `pause` seconds between two.

    Attributes:
        succeeded: number of requests with a status below 400.
        failures: the other requests.
    """

    def __init__(
        self, clients: Sequence[EdgeClient], paths: Mapping[str, str], *, pause: float = PAUSE_SECONDS
    ) -> None:
        self.succeeded = 0
        self.failures: list[Failure] = []
        self._pause = pause
        self._numbers = itertools.count(1)
        self._stopped, self._lock = Event(), Lock()
        self._threads = [
            Thread(target=self._send_requests, args=(client, host, path), daemon=True)
            for client in clients
            for host, path in paths.items()
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _send_requests(self, client: EdgeClient, host: str, path: str) -> None:
        connection = client.connect(host)
        while not self._stopped.wait(self._pause):
            sent_at, number = monotonic(), next(self._numbers)
            try:
                if connection.sock is None:
                    connection.connect()
                # A different client address each time: the rate limit would reject a single client.
                status = connection.get(path, CF_Connecting_IP=f"198.18.{number // 250 % 250}.{number % 250}").status
            except (OSError, http.client.HTTPException, ssl.SSLError) as error:
                connection.close()
                self._record(Failure(node=client.address, host=host, reason=repr(error), sent_at=sent_at))
            else:
                self._record(
                    None
                    if status < http.HTTPStatus.BAD_REQUEST
                    else Failure(node=client.address, host=host, reason=str(status), sent_at=sent_at)
                )
        connection.close()

    def _record(self, failure: Failure | None) -> None:
        with self._lock:
            if failure:
                self.failures.append(failure)
            else:
                self.succeeded += 1
