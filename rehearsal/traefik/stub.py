"""What answers for every pod: kwok's have addresses, but nothing listens there.

Traefik takes an HTTP proxy from its environment, as every Go program does. This is that proxy: instead of passing a request on
it tells what it got. To which pod it was meant to go stands in Traefik's access log.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from rehearsal.control_plane.flags import LOOPBACK

CSP_PATH = "/with-csp"
CSP = "default-src 'self'"


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request as a pod would have got it; header names in small letters."""

    url: str
    headers: Mapping[str, str]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        # A proxy is asked for a whole URL.
        received = Received(url=self.path, headers={name.lower(): value for name, value in self.headers.items()})
        body = json.dumps(asdict(received)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.path.endswith(CSP_PATH):
            # As the Go API and the Next.js apps do.
            self.send_header("Content-Security-Policy", CSP)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: a test's output is its own."""


class Stub:
    """The proxy, in a thread of this process."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
