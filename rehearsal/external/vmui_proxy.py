"""A plain HTTP server in front of vmui, the web page of the metrics database.

A browser can thus open it without the certificate authority and the password of the world. It listens on loopback only.
"""

import socket

import requests
from flask import Flask, Response, request
from werkzeug.serving import BaseWSGIServer, make_server

from rehearsal.external.metrics_database import MetricsDatabase

PAGE = "/vmui/#/dashboards"
FORWARDED_HEADERS = ("Content-Type", "Cache-Control", "ETag")


def application(database: MetricsDatabase) -> Flask:
    """Forwards every request to the database, as the user of the settings."""
    app = Flask(__name__, static_folder=None)

    @app.route("/", defaults={"path": ""}, methods=["GET", "POST"])
    @app.route("/<path:path>", methods=["GET", "POST"])
    def forward(path: str) -> Response:
        try:
            response = database.send(
                request.method, f"/{path}", request.query_string, request.get_data(), request.content_type or ""
            )
        except requests.RequestException as error:
            return Response(f"the metrics database does not respond: {type(error).__name__}\n", status=502)
        headers = {name: value for name, value in response.headers.items() if name in FORWARDED_HEADERS}
        return Response(response.content, status=response.status_code, headers=headers)

    return app


def listen() -> socket.socket:
    """A socket on a free port of loopback in the current network namespace, in which the browser runs."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(True)
    return listener


def server(app: Flask, listener: socket.socket) -> BaseWSGIServer:
    """The server on this socket. Its threads send requests from the namespace in which it is started."""
    host, port = listener.getsockname()
    return make_server(host, port, app, threaded=True, fd=listener.fileno())


def url(listener: socket.socket) -> str:
    """The address of the dashboards."""
    host, port = listener.getsockname()
    return f"http://{host}:{port}{PAGE}"
