"""Serves the simulated providers to engines: all of them, and all engine runs of a world, in one process.

The engine starts one process for each provider and reads a port from its standard output. That process is only a
launcher (launcher.py): it asks this server for a provider and prints the port. Python and its libraries are therefore
loaded once for a world and not four times in every run of the engine.
"""

from __future__ import annotations

import socketserver
from concurrent import futures
from typing import Final

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from .catalog import Connect
from .protocol import Servicer

LOOPBACK: Final = "127.0.0.1"
# As many threads as the engine's default parallelism uses at once for one provider; further requests wait in the queue.
_THREADS: Final = 16


class _Launcher(socketserver.StreamRequestHandler):
    """One connection of a launcher. The provider ends when the launcher does."""

    server: PluginServer

    def handle(self) -> None:
        name = self.rfile.readline().decode().strip()
        executor = futures.ThreadPoolExecutor(max_workers=_THREADS)
        plugin = grpc.server(executor, options=[("grpc.max_receive_message_length", -1)])
        try:
            servicer = Servicer(name, self.server.connect)
        except LookupError as error:
            self.wfile.write(f"{error}\n".encode())
            return
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, plugin)
        port = plugin.add_insecure_port(f"{LOOPBACK}:0")
        plugin.start()
        self.wfile.write(f"{port}\n".encode())
        # Returns at the end of the connection: the engine ended the launcher, or died with it.
        self.rfile.read()
        plugin.stop(grace=None).wait()
        executor.shutdown(wait=False)


class PluginServer(socketserver.ThreadingTCPServer):
    """Listens for launchers on a free port of loopback; `serve_forever` serves them."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, connect: Connect) -> None:
        super().__init__((LOOPBACK, 0), _Launcher)
        self.connect = connect

    @property
    def port(self) -> int:
        """Where the launchers connect."""
        port: int = self.server_address[1]
        return port
