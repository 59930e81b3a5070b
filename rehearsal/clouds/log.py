"""The log of the requests that the simulated clouds received: `requests.jsonl` in their folder.

It shows what the program, `ops` and the operator's commands would have sent to the vendors. Keys, certificates and user
data are replaced by placeholders, because they hold secrets.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from flask import Request

FILE: Final = "requests.jsonl"
NOT_SIMULATED: Final = "not-simulated.txt"
_PLACEHOLDERS: Final = {
    "user_data": "<user data>",
    "private_key": "<private key>",
    "certificate": "<certificate>",
    "csr": "<csr>",
    "public_key": "<ssh public key>",
}


class RequestLog:
    """Appends to the log of the clouds in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def write(self, vendor: str, request: Request, status: int) -> None:
        """One line for one request."""
        entry = {
            "vendor": vendor,
            "method": request.method,
            "path": request.path,
            "query": request.query_string.decode(),
            "body": _without_secrets(request.get_json(silent=True)) if request.content_length else None,
            "status": status,
        }
        self._append(FILE, json.dumps(entry))

    def not_simulated(self, request: Request) -> None:
        """Notes a request that the clouds do not serve; the rehearsal's summary names it."""
        self._append(NOT_SIMULATED, f"{request.method} {request.path}")

    def _append(self, name: str, line: str) -> None:
        with self._lock, (self._folder / name).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def read_not_simulated(folder: Path) -> list[str]:
    """The requests that the clouds in this folder do not serve, such as `POST /v1/load_balancers`."""
    try:
        return (folder / NOT_SIMULATED).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def _without_secrets(body: Any) -> Any:  # noqa: ANN401  # JSON
    if not isinstance(body, Mapping):
        return body
    return {name: _PLACEHOLDERS.get(name, value) if value else value for name, value in body.items()}
