"""A Gitea on loopback: the part of its API that CI asks, with its own rules; it remembers every request that changed something."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

REPOSITORY = "admin/honeydue"
TOKEN = "token-of-the-job"
MOST = 50


@dataclass(kw_only=True)
class Forge:
    """What it holds. `failing` answers are given before it works again."""

    url: str = ""
    issues: list[dict[str, Any]] = field(default_factory=list)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    failing: list[int] = field(default_factory=list)

    def open(self, title: str, body: str = "", state: str = "open") -> None:
        self.issues.append({"number": len(self.issues) + 1, "title": title, "body": body, "state": state})

    def answer(self, method: str, path: str, query: dict[str, list[str]], sent: dict[str, Any]) -> tuple[int, Any]:
        if method != "GET":
            self.changes.append(f"{method} {path}")
        match method, path.split("/"):
            case "GET", ["issues"]:
                return 200, self._page(query)
            case "GET", ["issues", number, "comments"]:
                return 200, self.comments.get(int(number), [])
            case "POST", ["issues"]:
                self.open(**sent)
                return 201, self.issues[-1]
            case "POST", ["issues", number, "comments"]:
                self.comments.setdefault(int(number), []).append(
                    {"id": sum(map(len, self.comments.values())) + 1, "body": sent["body"]}
                )
                return 201, self.comments[int(number)][-1]
            case "PATCH", ["issues", *key]:
                return 201, self._edited(key, sent)
        return 404, {"message": "not found"}

    def _page(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        found = [one for one in self.issues if one["state"] == query["state"][0]]
        first, most = int(query["page"][0]) - 1, min(int(query["limit"][0]), MOST)
        return found[first * most :][:most]

    def _edited(self, key: list[str], sent: dict[str, Any]) -> dict[str, Any]:
        comments = [one for of_an_issue in self.comments.values() for one in of_an_issue]
        name, among = ("id", comments) if key[0] == "comments" else ("number", self.issues)
        (found,) = [one for one in among if one[name] == int(key[-1])]
        found.update(sent)
        return found


@contextmanager
def serving() -> Iterator[Forge]:
    """It, for as long as the context lasts."""
    forge = Forge()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            sent = json.loads(self.rfile.read(length) or b"{}")
            path = re.fullmatch(rf"/api/v1/repos/{REPOSITORY}/(.*)", url.path)
            if forge.failing:
                status, answer = forge.failing.pop(0), {}
            elif self.headers["Authorization"] != f"token {TOKEN}":
                status, answer = 401, {"message": "token is required"}
            elif path is None:
                status, answer = 404, {"message": "not found"}
            else:
                status, answer = forge.answer(self.command, path[1], parse_qs(url.query), sent)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = _answer  # noqa: N815  # the names by which http.server calls it

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        forge.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield forge
        server.shutdown()
