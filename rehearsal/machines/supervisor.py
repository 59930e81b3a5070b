"""What k3s answers on port 6443 beside the API, and the same API at the machine's public address.

Here the API server has the port for itself, so the supervisor has one of its own (SUPERVISOR_PORT), to which the machines' curl
is led. The API server listens at one address only; for the other one, connections are handed on as they are.
"""

import asyncio
import base64
import hmac
import ssl
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rehearsal.machines import bootstrap

CHUNK = 65536


class Supervisor:
    """Serves for as long as its process lives."""

    def __init__(self, server: Path, password: str) -> None:
        self._server = server
        self._credentials = f"Basic {base64.b64encode(f'server:{password}'.encode()).decode()}"

    def listen(self, address: str, port: int, *, certificate: Path, key: Path) -> None:
        """Returns at once."""
        supervisor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                supervisor.answer(self)

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        listening = ThreadingHTTPServer((address, port), Handler)
        listening.daemon_threads = True
        # Not at accept, where one slow caller would hold up all others: at the first byte, in that caller's own thread.
        listening.socket = context.wrap_socket(listening.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=listening.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """One request: who asks for the authorities' keys must know the token."""
        match request.path:
            case "/cacerts":
                self._reply(request, (self._server / "tls/server-ca.crt").read_bytes())
            case "/ping":
                self._reply(request, b"pong")
            case "/v1-k3s/server-bootstrap":
                if hmac.compare_digest(request.headers.get("Authorization", ""), self._credentials):
                    self._reply(request, bootstrap.told(self._server).encode())
                else:
                    self._reply(request, b"Unauthorized", status=HTTPStatus.UNAUTHORIZED)
            case _:
                self._reply(request, b"not found", status=HTTPStatus.NOT_FOUND)

    @staticmethod
    def _reply(request: BaseHTTPRequestHandler, body: bytes, status: HTTPStatus = HTTPStatus.OK) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


def forward(address: str, to: str, port: int) -> None:
    """Hands connections to `address` on to `to`, untouched; returns at once."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(to, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, back), pump(there, writer))

    async def serve() -> None:
        listening = await asyncio.start_server(connected, address, port)
        await listening.serve_forever()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
