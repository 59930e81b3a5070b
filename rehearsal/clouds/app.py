"""The HTTP server of the simulated clouds: authentication, a transaction for each request, faults and the log.

Each vendor is a Flask blueprint: hetzner/ and cloudflare/ with a module for each resource, and registry.py.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Final

from flask import Flask, Request, Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from . import cloudflare, hetzner, registry
from .account import read_account
from .cloud import Cloud
from .endpoints import LOOPBACK
from .faults import Faults
from .log import RequestLog
from .store import BrokenStateError, Store
from .vendor import Answer, Vendor

VENDORS: Final[tuple[Vendor, ...]] = (hetzner.VENDOR, cloudflare.VENDOR, registry.VENDOR)
_UNSAFE: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def create_app(folder: Path) -> Flask:
    """The application that serves the clouds in `folder`; `account.json` there is read at every request."""
    app = Flask(__name__)
    # Paths of the vendors have no trailing slash, and the keys of a response are not sorted.
    app.url_map.strict_slashes = True
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's default provider
    log, faults = RequestLog(folder), Faults(folder)
    for vendor in VENDORS:
        app.register_blueprint(vendor.blueprint, url_prefix=vendor.prefix)

    @app.before_request
    def begin() -> Answer | None:
        vendor = _vendor(request)
        g.vendor, g.transaction = vendor, ExitStack()
        account = read_account(folder)
        if (refusal := vendor.authenticate(request, account.tokens, request.method in _UNSAFE)) is not None:
            return refusal
        if (injected := faults.before(vendor.name, request)) is not None:
            return injected
        state = g.transaction.enter_context(Store(folder / f"{vendor.name}.json").transaction())
        g.cloud = Cloud(state, account)
        return None

    @app.after_request
    def finish(response: Response) -> Response:
        vendor: Vendor = g.vendor
        if response.status_code < 400:  # noqa: PLR2004  # the first status of an error
            g.transaction.close()
        log.write(vendor.name, request, response.status_code)
        return faults.after(request, response)

    @app.teardown_request
    def abandon(_: BaseException | None) -> None:
        # After an error the state file does not change. A transaction that `finish` closed stays closed.
        _discard(g.pop("transaction", None))

    @app.errorhandler(HTTPException)
    def unknown(error: HTTPException) -> Answer:
        return _unknown_path(error, log)

    @app.errorhandler(BrokenStateError)
    def broken(error: BrokenStateError) -> Answer:
        vendor: Vendor = g.vendor
        return vendor.broken(str(error))

    return app


def _unknown_path(error: HTTPException, log: RequestLog) -> Answer:
    vendor: Vendor = g.get("vendor") or _vendor(request)
    if error.code in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        log.not_simulated(request)
    return vendor.unknown_path(request, error.code or HTTPStatus.INTERNAL_SERVER_ERROR)


class _AbandonedError(Exception):
    """Ends a transaction without writing."""


def _discard(transaction: ExitStack | None) -> None:
    if transaction is None:
        return
    with suppress(_AbandonedError):
        transaction.__exit__(_AbandonedError, _AbandonedError(), None)


def _vendor(request_: Request) -> Vendor:
    return next((vendor for vendor in VENDORS if request_.path.startswith(f"{vendor.prefix}/")), VENDORS[0])


class _Handler(WSGIRequestHandler):
    # Clients reuse their connections, because a new connection costs more than a request.
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:
        """Writes nothing: the log of the requests is `requests.jsonl`."""


def serve(folder: Path, *, port: int = 0) -> BaseWSGIServer:
    """Serves the clouds in `folder` on loopback, in a thread, until `shutdown` is called."""
    server = make_server(LOOPBACK, port, create_app(folder), threaded=True, request_handler=_Handler)
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    return server
