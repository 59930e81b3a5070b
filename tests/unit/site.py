"""An HTTP server on loopback that serves files by path and records the requests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(kw_only=True)
class Site:
    """A running server. Its files can be changed at any time."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    """Paths, in the order of the requests."""
    missing: int = 404
    """The status of the response for a path without a file."""


@contextmanager
def serve(files: dict[str, bytes]) -> Iterator[Site]:
    """Runs the server until the context ends."""
    site = Site(files=files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.requests.append(self.path)
            body = site.files.get(self.path)
            self.send_response(site.missing if body is None else 200)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield site
        server.shutdown()
