"""Chooses free TCP ports on loopback."""

import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack

from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal.loopback import LOOPBACK

RELEASE_SECONDS = 2.0
"""How long a preferred port may stay in use. A program that was killed a moment ago releases its port later."""


def free_ports(names: Iterable[str], *, preferred: Mapping[str, int] | None = None) -> dict[str, int]:
    """A different free port for each name: the preferred port where it is free.

    Another program may bind a port before the caller does.
    """
    with ExitStack() as sockets:
        # Keep all sockets open until every port is chosen. Otherwise two names could get the same port.
        return {name: _free_port((preferred or {}).get(name, 0), sockets) for name in names}


def _free_port(preferred: int, sockets: ExitStack) -> int:
    candidate = sockets.enter_context(socket.socket())
    candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    retrying = Retrying(
        retry=retry_if_exception_type(OSError), stop=stop_after_delay(RELEASE_SECONDS), wait=wait_fixed(0.05)
    )
    try:
        retrying(candidate.bind, (LOOPBACK, preferred))
    except RetryError:
        candidate.bind((LOOPBACK, 0))
    port: int = candidate.getsockname()[1]
    return port
