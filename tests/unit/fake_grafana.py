"""Grafana's API for folders and dashboards on loopback, with its rules about versions and rights."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

Answer = tuple[Response, int]
USER = "sa-1-make"
"""The name of the service account."""


def _error(code: HTTPStatus, message: str, *, status: str = "error") -> Answer:
    return jsonify({"message": message, "status": status}), code


@dataclass(kw_only=True)
class FakeGrafana:
    """A running server. Its content can be changed at any time."""

    token: str
    url: str = ""
    role: str = "Editor"
    folders: dict[str, str] = field(default_factory=dict)
    """Titles by uid."""
    dashboards: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By uid: `dashboard` and the uid of its `folder`."""
    versions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By uid, the newest first."""
    versions_in_object: bool = True
    """Whether the list of versions is in an object. Older versions of Grafana return the list itself."""
    before_save: Callable[[], None] = lambda: None
    """Runs before a dashboard is stored, for example as another person who stores it first."""

    def store(self, content: dict[str, Any], *, folder: str, message: str, user: str) -> dict[str, Any]:
        """Stores a version, as Grafana does after its checks."""
        uid = content["uid"]
        number = self.dashboards[uid]["dashboard"]["version"] + 1 if uid in self.dashboards else 1
        stored = {**content, "id": 1 + len(self.dashboards), "version": number}
        self.dashboards[uid] = {"dashboard": stored, "folder": folder}
        self.versions.setdefault(uid, []).insert(0, {"version": number, "createdBy": user, "message": message})
        return stored

    def edit(self, uid: str, *, message: str = "", **changes: Any) -> None:
        """Changes a dashboard as a person in Grafana's user interface, which adds its defaults."""
        now = self.dashboards[uid]
        content = {**now["dashboard"], "weekStart": "", **changes}
        self.store(content, folder=now["folder"], message=message, user="admin")


def app_of(grafana: FakeGrafana) -> Flask:
    app = Flask(__name__)

    @app.before_request
    def authorize() -> Answer | None:
        if request.headers.get("Authorization") != f"Bearer {grafana.token}":
            return _error(HTTPStatus.UNAUTHORIZED, "Invalid API key")
        if request.method != "GET" and grafana.role == "Viewer":
            return _error(HTTPStatus.FORBIDDEN, "You'll need additional permissions to perform this action.")
        return None

    _add_folders(app, grafana)
    _add_dashboards(app, grafana)
    return app


def _add_folders(app: Flask, grafana: FakeGrafana) -> None:
    @app.get("/api/folders")
    def folders() -> Response:
        return jsonify([{"id": 1, "uid": uid, "title": title} for uid, title in grafana.folders.items()])

    @app.post("/api/folders")
    def create_folder() -> Answer | Response:
        title = request.get_json()["title"]
        if title in grafana.folders.values():
            return _error(HTTPStatus.CONFLICT, "a folder with the same name already exists in the current location")
        uid = f"f{len(grafana.folders)}"
        grafana.folders[uid] = title
        return jsonify({"id": 1, "uid": uid, "title": title})


def _add_dashboards(app: Flask, grafana: FakeGrafana) -> None:
    @app.get("/api/dashboards/uid/<uid>")
    def dashboard(uid: str) -> Answer | Response:
        if uid not in grafana.dashboards:
            return _error(HTTPStatus.NOT_FOUND, "Dashboard not found")
        stored = grafana.dashboards[uid]
        meta = {"version": stored["dashboard"]["version"], "folderUid": stored["folder"], "canSave": True}
        return jsonify({"dashboard": stored["dashboard"], "meta": meta})

    @app.get("/api/dashboards/uid/<uid>/versions")
    def versions(uid: str) -> Answer | Response:
        limit = int(request.args.get("limit", "1000"))
        newest = grafana.versions[uid][:limit]
        return jsonify({"continueToken": "", "versions": newest} if grafana.versions_in_object else newest)

    @app.post("/api/dashboards/db")
    def save() -> Answer | Response:
        grafana.before_save()
        body = request.get_json()
        content, folder = body["dashboard"], body.get("folderUid", "")
        if not content.get("title"):
            return _error(HTTPStatus.BAD_REQUEST, "Dashboard title cannot be empty")
        if folder not in {"", *grafana.folders}:
            return _error(HTTPStatus.NOT_FOUND, "folder not found", status="not-found")
        existing = grafana.dashboards.get(content["uid"])
        if existing and not body.get("overwrite") and content.get("version", 0) != existing["dashboard"]["version"]:
            return _error(
                HTTPStatus.PRECONDITION_FAILED,
                "The dashboard has been changed by someone else",
                status="version-mismatch",
            )
        others = [stored for uid, stored in grafana.dashboards.items() if uid != content["uid"]]
        if (content["title"], folder) in [(other["dashboard"]["title"], other["folder"]) for other in others]:
            return _error(
                HTTPStatus.PRECONDITION_FAILED,
                "A dashboard with the same name in the folder already exists",
                status="name-exists",
            )
        stored = grafana.store(content, folder=folder, message=body.get("message", ""), user=USER)
        return jsonify({"status": "success", "uid": stored["uid"], "version": stored["version"]})


@contextmanager
def serve_grafana(*, token: str) -> Iterator[FakeGrafana]:
    """Runs the server until the context ends."""
    grafana = FakeGrafana(token=token)
    server = make_server("127.0.0.1", 0, app_of(grafana), threaded=True)
    grafana.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield grafana
    server.shutdown()
    server.server_close()
