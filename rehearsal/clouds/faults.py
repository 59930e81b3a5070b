"""Faults on request: what a vendor's API, or the network before it, does on a bad day.

`faults.json` in the folder of the clouds is a list of faults. It is read at every request, so that a test can change it
while an engine runs.
"""

from __future__ import annotations

import re
import socket
import time
from collections import Counter
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

from flask import Request, Response
from pydantic import BaseModel, ConfigDict, TypeAdapter

from .vendor import Answer


class Fault(BaseModel):
    """What happens to a request.

    Attributes:
        vendor: `hetzner`, `cloudflare` or `registry`.
        method, path: of the requests that are counted; `path` is a regular expression of the whole path.
        nth: which of these requests fail, counted from 1 over the lifetime of the server; empty means all.
        status, body: the answer instead of the cloud's own. Without a status the cloud answers.
        headers: further headers of that answer, such as `Retry-After`.
        delay_seconds: how long the answer takes longer.
        cut: the connection ends without an answer, before or after the change.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    vendor: Literal["hetzner", "cloudflare", "registry"]
    method: str
    path: str
    nth: tuple[int, ...] = ()
    status: int | None = None
    body: dict[str, Any] = {}
    headers: dict[str, str] = {}
    delay_seconds: float = 0
    cut: Literal["before", "after"] | None = None


_FAULTS = TypeAdapter(list[Fault])


def write_faults(folder: Path, *faults: Fault) -> None:
    """Replaces the faults of the clouds in this folder."""
    scratch = folder / "faults.json.new"
    scratch.write_bytes(_FAULTS.dump_json(list(faults)))
    scratch.replace(folder / "faults.json")


class Faults:
    """The faults of the clouds in one folder, and how many requests matched each of them."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "faults.json"
        self._matches: Counter[str] = Counter()

    def before(self, vendor: str, request: Request) -> Answer | None:
        """The injected response to a request, or None without one."""
        request.environ["honeydue.faults"] = due = self._due(vendor, request)
        for fault in due:
            time.sleep(fault.delay_seconds)
            if fault.cut == "before":
                _cut(request)
                # The client does not receive this response, and the cloud does not process the request.
                return {}, HTTPStatus.SERVICE_UNAVAILABLE
            if fault.status is not None:
                return fault.body, fault.status
        return None

    def after(self, request: Request, response: Response) -> Response:
        """Adds the headers of injected answers, or cuts the connection after the change."""
        for fault in request.environ.get("honeydue.faults", ()):
            if fault.cut == "after":
                _cut(request)
            response.headers.extend(fault.headers)
        return response

    def _due(self, vendor: str, request: Request) -> list[Fault]:
        try:
            faults = _FAULTS.validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return []
        due = []
        for fault in faults:
            if (fault.vendor, fault.method) == (vendor, request.method) and re.fullmatch(fault.path, request.path):
                key = fault.model_dump_json()
                self._matches[key] += 1
                if not fault.nth or self._matches[key] in fault.nth:
                    due.append(fault)
        return due


def _cut(request: Request) -> None:
    connection: socket.socket = request.environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)
