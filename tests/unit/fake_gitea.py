"""The part of Gitea's API that CI uses, served on loopback. It records every request that changes something."""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

REPOSITORY = "admin/honeydue"
TOKEN = "token-of-the-job"
MAX_PAGE_SIZE = 50
JOB_USER = {"id": -2, "login": "gitea-actions"}
"""The user of a job's token (go-gitea/gitea, models/user/user_system.go)."""
OTHER_USER = {"id": 7, "login": "somebody"}


@dataclass(kw_only=True)
class FakeGitea:
    """The issues and comments of a repository. The status codes in `failing` are returned first, one per request."""

    url: str = ""
    issues: list[dict[str, Any]] = field(default_factory=list)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    failing: list[int] = field(default_factory=list)

    def open(self, title: str, body: str = "", state: str = "open", user: Mapping[str, object] = JOB_USER) -> None:
        number = len(self.issues) + 1
        self.issues.append({"number": number, "title": title, "body": body, "state": state, "user": user})

    def respond(self, method: str, path: str, query: dict[str, list[str]], sent: dict[str, Any]) -> tuple[int, Any]:
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
                    {"id": sum(map(len, self.comments.values())) + 1, "body": sent["body"], "user": JOB_USER}
                )
                return 201, self.comments[int(number)][-1]
            case "PATCH", ["issues", *key]:
                return 201, self._edited(key, sent)
        return 404, {"message": "not found"}

    def _page(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        issues = [issue for issue in self.issues if issue["state"] == query["state"][0]]
        page, size = int(query["page"][0]) - 1, min(int(query["limit"][0]), MAX_PAGE_SIZE)
        return issues[page * size :][:size]

    def _edited(self, key: list[str], sent: dict[str, Any]) -> dict[str, Any]:
        comments = [comment for comments in self.comments.values() for comment in comments]
        name, entries = ("id", comments) if key[0] == "comments" else ("number", self.issues)
        (entry,) = [entry for entry in entries if entry[name] == int(key[-1])]
        entry.update(sent)
        return entry


@contextmanager
def serving() -> Iterator[FakeGitea]:
    """Serves the API while the context lasts."""
    gitea = FakeGitea()

    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            sent = json.loads(self.rfile.read(length) or b"{}")
            path = re.fullmatch(rf"/api/v1/repos/{REPOSITORY}/(.*)", url.path)
            if gitea.failing:
                status, response = gitea.failing.pop(0), {}
            elif self.headers["Authorization"] != f"token {TOKEN}":
                status, response = 401, {"message": "token is required"}
            elif path is None:
                status, response = 404, {"message": "not found"}
            else:
                status, response = gitea.respond(self.command, path[1], parse_qs(url.query), sent)
            body = json.dumps(response).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = _respond  # noqa: N815  # http.server calls these names

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        gitea.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield gitea
        server.shutdown()
