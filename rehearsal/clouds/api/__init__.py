"""Read-only HTTP APIs of the simulated clouds, for the vendors' own clients during an adoption and a drift check.

They follow https://docs.hetzner.cloud and https://developers.cloudflare.com/api.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from . import cloudflare, hetzner

LOOPBACK: Final = "127.0.0.1"
_VENDORS: Final = {"/v1/": hetzner, "/client/v4/": cloudflare}


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """The API tokens that the servers accept."""

    hetzner: str
    cloudflare: str


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path, tokens: Tokens) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.folder = folder
        self.tokens = {hetzner: tokens.hetzner, cloudflare: tokens.cloudflare}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        for prefix, vendor in _VENDORS.items():
            if url.path.startswith(prefix):
                if self.headers.get("Authorization") != f"Bearer {self.server.tokens[vendor]}":
                    self._answer(vendor.UNAUTHORIZED)
                else:
                    self._answer(
                        vendor.answer(self.server.folder, url.path.removeprefix(prefix), dict(parse_qsl(url.query)))
                    )
                return
        self._answer((404, {}))

    def _answer(self, answer: tuple[int, Mapping[str, Any]]) -> None:
        status, content = answer
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing: the output would mix with that of the command."""


@contextmanager
def serving(folder: Path, tokens: Tokens) -> Iterator[Mapping[str, str]]:
    """Serves the clouds of this folder on loopback for the duration of the block.

    Yields the environment variables that configure the vendors' clients to use these servers.
    """
    server = _Server(folder, tokens)
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    url = f"http://{LOOPBACK}:{server.server_port}"
    try:
        yield {"HCLOUD_ENDPOINT": f"{url}/v1", "CLOUDFLARE_BASE_URL": f"{url}/client/v4"}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
