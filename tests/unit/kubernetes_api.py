"""An API server that answers GET requests with fixed responses."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote

import yaml

CONTEXT = "default"
Response = tuple[int, Mapping[str, Any]]
Responses = dict[str, Response]
"""Status and content by path, with the query."""


@contextmanager
def api_server(responses: Responses) -> Iterator[str]:
    """Runs the server, and yields its kubeconfig. The responses may change meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content = responses[unquote(self.path)]
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *_: object) -> None:
            """Prints nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield kubeconfig(server.server_port)
        finally:
            server.shutdown()


def kubeconfig(port: int) -> str:
    """The kubeconfig of a server at this port of the machine."""
    content = {
        "clusters": [{"name": "k3s", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "admin", "user": {"token": "a-token"}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": "k3s", "user": "admin"}}],
    }
    return yaml.safe_dump(content)
