"""The gRPC server of a plugin process. It prints its port for the engine, and serves until the engine ends."""

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
    """Serves until the engine ends this process, or has ended itself."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    # The engine's default parallelism. Further requests wait in the queue.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=[("grpc.max_receive_message_length", -1)])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(provider(name)), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    # The handshake of a Pulumi plugin: the first line on standard output is the port.
    print(port, flush=True)
    parent = os.getppid()
    # A killed engine cannot end its plugins. An orphaned plugin therefore ends itself.
    while not stopped.wait(_PARENT_CHECK_SECONDS) and os.getppid() == parent:
        pass
    server.stop(grace=None).wait()
