"""One simulated provider as a plugin process: it tells the engine its port and serves until the engine is gone."""

from __future__ import annotations

import os
import signal
import threading
from concurrent import futures
from typing import Final

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from .catalog import provider
from .protocol import Servicer

_PARENT_CHECK_SECONDS: Final = 1.0


def serve(name: str) -> None:
    """Serve until the engine ends the process, or has gone itself."""
    gone = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: gone.set())
    # As many threads as the engine's usual parallelism asks for at once; the rest waits in the queue.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=[("grpc.max_receive_message_length", -1)])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(provider(name)), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    # The handshake of every Pulumi plugin: the first line on stdout is the port.
    print(port, flush=True)
    parent = os.getppid()
    # A killed engine cannot end its plugins: an orphan ends itself.
    while not gone.wait(_PARENT_CHECK_SECONDS) and os.getppid() == parent:
        pass
    server.stop(grace=None).wait()
