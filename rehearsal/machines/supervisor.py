"""The k3s supervisor, and a TCP proxy for the API at the machine's public address.

In k3s, the supervisor and the API server share port 6443. On a simulated machine the API server has that port alone,
and the supervisor listens on SUPERVISOR_PORT, to which `.curlrc` redirects curl. The API server binds only to the
private address of the machine.
"""

import asyncio
import hmac
import json
import ssl
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rehearsal.machines import bootstrap
from rehearsal.machines.config import Config

CHUNK = 65536


class Supervisor:
    """Serves the CA, the bootstrap data and the configuration until its process ends."""

    def __init__(self, server: Path, config: Config) -> None:
        self._server = server
        self._config = config

    def listen(self, address: str, port: int, *, certificate: Path, key: Path) -> None:
        """Starts to listen in a thread."""
        supervisor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                supervisor.answer(self)

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = ThreadingHTTPServer((address, port), Handler)
        server.daemon_threads = True
        # The handshake happens in the thread of the connection. On accept, one slow client would block all others.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answers one request. The bootstrap data and the configuration require the cluster token.

        As in k3s (pkg/server/handlers/router.go), each is for one user: `server` for servers, `node` for all nodes.
        """
        match request.path:
            case "/cacerts":
                self._reply(request, (self._server / "tls/server-ca.crt").read_bytes())
            case "/ping":
                self._reply(request, b"pong")
            case "/v1-k3s/server-bootstrap" if self._is_user("server", request):
                self._reply(request, bootstrap.serialize(self._server).encode())
            case "/v1-k3s/config" if self._is_user("node", request):
                self._reply(request, json.dumps(self._config.critical).encode())
            case "/v1-k3s/server-bootstrap" | "/v1-k3s/config":
                self._reply(request, b"Unauthorized", status=HTTPStatus.UNAUTHORIZED)
            case _:
                self._reply(request, b"not found", status=HTTPStatus.NOT_FOUND)

    def _is_user(self, name: str, request: BaseHTTPRequestHandler) -> bool:
        return hmac.compare_digest(request.headers.get("Authorization", ""), bootstrap.credentials(name, self._config))

    @staticmethod
    def _reply(request: BaseHTTPRequestHandler, body: bytes, status: HTTPStatus = HTTPStatus.OK) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


def forward(address: str, to: str, port: int) -> None:
    """Forwards TCP connections from `address` to `to` in a thread, without decrypting them."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            backend_reader, backend_writer = await asyncio.open_connection(to, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, backend_writer), pump(backend_reader, writer))

    async def serve() -> None:
        server = await asyncio.start_server(connect, address, port)
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
