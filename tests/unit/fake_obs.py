"""VictoriaMetrics' API for queries on loopback, for `make status`."""

import base64
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

NAMES = re.compile(r'__name__=~"([^"]*)"\}\[(\w+)\]')


@dataclass(kw_only=True)
class FakeObs:
    """A running server. What it returns can be changed at any time."""

    url: str = ""
    username: str
    password: str
    cluster: str
    alerts: list[Mapping[str, str]] = field(default_factory=list)
    """The labels of the series of ALERTS."""
    arrived: dict[str, set[str]] = field(default_factory=dict)
    """The metrics of which samples arrived, by time: "5m" or "1d"."""
    status: int = 200
    body: bytes | None = None
    """What every query returns instead of a result."""

    def respond(self, path: str, authorization: str) -> tuple[int, bytes]:
        url = urlsplit(path)
        query = {name: value for name, (value,) in parse_qs(url.query).items()}
        expected = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        if url.path != "/api/v1/query" or query.get("extra_label") != f"cluster={self.cluster}":
            return 404, b""
        if authorization != f"Basic {expected}":
            return 401, b""
        if self.status != 200 or self.body is not None:
            return self.status, self.body or b""
        result = [{"metric": labels, "value": [0, "1"]} for labels in self._series(query["query"])]
        return 200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()

    def _series(self, query: str) -> Iterator[Mapping[str, str]]:
        if query == 'ALERTS{alertstate="firing"}':
            yield from self.alerts
        elif match := NAMES.search(query):
            names, time = match.groups()
            yield from ({"__name__": name} for name in names.split("|") if name in self.arrived.get(time, ()))


@contextmanager
def serve_obs(*, username: str, password: str, cluster: str) -> Iterator[FakeObs]:
    """Runs the server until the context ends."""
    obs = FakeObs(username=username, password=password, cluster=cluster)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, body = obs.respond(self.path, self.headers.get("Authorization", ""))
            self.send_response(code)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        obs.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield obs
        server.shutdown()
