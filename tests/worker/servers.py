"""HTTP servers for the tests of the Worker: sites that it checks, webhooks, and heartbeats."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rehearsal.loopback import LOOPBACK
from rehearsal.pki import KeyPair


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request that a server received."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Response:
    """The response of a server."""

    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    headers_first: bool = False
    """Sends the headers before the server is open."""


FAILURE = Response(status=HTTPStatus.SERVICE_UNAVAILABLE)


class Server:
    """Returns the same response to each request, until a test replaces it, and records the requests."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.response = Response()
        self.responses: dict[str, Response] = {}
        """Other responses, by path."""
        self.requests: list[Request] = []
        self._open = threading.Event()
        self._open.set()

    def respond(self, request: Request) -> Response:
        """The response to a request. Each request has a thread."""
        self.requests.append(request)
        return self.responses.get(request.path, self.response)

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Sends no response until the block ends."""
        self._open.clear()
        try:
            yield
        finally:
            self.open()

    def open(self) -> None:
        """Sends the responses."""
        self._open.set()

    def wait(self) -> None:
        self._open.wait()

    @property
    def messages(self) -> list[str]:
        """The texts of the messages that a webhook received."""
        return [request.json()["text"] for request in self.requests]


@contextmanager
def serve(
    create: Callable[[str], Server] = Server,
    *,
    certificate: KeyPair | None = None,
    host: str = LOOPBACK,
    address: tuple[str, int] = (LOOPBACK, 0),
) -> Iterator[Any]:
    """Runs a server until the block ends, on a free port by default, and with HTTPS if it has a certificate.

    `create` returns the server for its URL, which contains the name `host`.
    """

    class Handler(BaseHTTPRequestHandler):
        # The runtime may send a request on a connection that the server of an older version is about to close.
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            request = Request(method=self.command, path=self.path, headers=dict(self.headers), body=body)
            response = server.respond(request)
            content = response.body.encode()
            if not response.headers_first:
                server.wait()
            self.send_response(response.status)
            for name, value in {**response.headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            server.wait()
            self.wfile.write(content)

        do_GET = do_POST = respond  # noqa: N815  # names of BaseHTTPRequestHandler

        def log_message(self, format: str, *_: object) -> None:
            """Logs nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                """The Worker closes a connection after its timeout, and after an invalid certificate."""

    class HttpServer(ThreadingHTTPServer):
        daemon_threads = True

    with HttpServer(address, Handler) as http:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.certificate, certificate.key)
            # The thread of the connection does the handshake.
            http.socket = context.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
        server = create(f"{'https' if certificate else 'http'}://{host}:{http.server_port}/")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
