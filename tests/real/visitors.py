"""Visitors who never stop: over Cloudflare's connections to every node, to every app, until the block ends."""

import http.client
import itertools
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Event, Lock, Thread
from time import monotonic
from types import TracebackType
from typing import Self

from tests.rehearsal.edge import Caller

PAUSE_SECONDS = 0.01
"""Between two requests of a visitor. Without any they would take the processors from those who answer."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A request that was not answered as it should be."""

    node: str
    host: str
    what: str
    asked: float
    """When, by the monotonic clock."""


class Visitors:
    """One for each node and each path, one request after the other.

    Attributes:
        answered: how many requests were answered well.
        failures: the others.
    """

    def __init__(self, callers: Sequence[Caller], paths: Mapping[str, str]) -> None:
        self.answered = 0
        self.failures: list[Failure] = []
        self._numbers = itertools.count(1)
        self._over, self._counting = Event(), Lock()
        self._threads = [
            Thread(target=self._visit, args=(caller, host, path), daemon=True)
            for caller in callers
            for host, path in paths.items()
        ]

    def __enter__(self) -> Self:
        for one in self._threads:
            one.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for one in self._threads:
            one.join()

    def _visit(self, caller: Caller, host: str, path: str) -> None:
        connection = caller.connect(host)
        while not self._over.wait(PAUSE_SECONDS):
            asked, number = monotonic(), next(self._numbers)
            try:
                if connection.sock is None:
                    connection.connect()
                # Another visitor each time: a single one would be told to slow down.
                status = connection.get(path, CF_Connecting_IP=f"198.18.{number // 250 % 250}.{number % 250}").status
            except (OSError, http.client.HTTPException, ssl.SSLError) as error:
                connection.close()
                self._count(Failure(node=caller.address, host=host, what=repr(error), asked=asked))
            else:
                self._count(
                    None
                    if status < http.HTTPStatus.BAD_REQUEST
                    else Failure(node=caller.address, host=host, what=str(status), asked=asked)
                )
        connection.close()

    def _count(self, failure: Failure | None) -> None:
        with self._counting:
            if failure:
                self.failures.append(failure)
            else:
                self.answered += 1
