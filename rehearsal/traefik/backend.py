"""An HTTP server that answers in place of every pod. kwok's pods have addresses, but nothing listens there.

Like every Go program, Traefik uses the HTTP proxy of its environment. This server is that proxy. Instead of forwarding
a request, it returns the request as JSON. Traefik's access log contains the pod that the request was for.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from rehearsal.loopback import LOOPBACK

CSP_PATH = "/with-csp"
"""For a path that ends like this, the response has a Content-Security-Policy, as those of the API and the web apps."""
CSP = "default-src 'self'"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as a pod would receive it. The header names are in lower case."""

    url: str
    headers: Mapping[str, str]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        # The path of a request to a proxy is an absolute URL.
        request = Request(url=self.path, headers={name.lower(): value for name, value in self.headers.items()})
        body = json.dumps(asdict(request)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.path.endswith(CSP_PATH):
            self.send_header("Content-Security-Policy", CSP)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing. The default is standard error, the output of the test."""


class Backend:
    """The server, in a thread of this process."""

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
