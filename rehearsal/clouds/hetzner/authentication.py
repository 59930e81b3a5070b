"""Tokens, their rights, and the rate limit of a project.

Sources: https://docs.hetzner.cloud/reference/cloud#authentication and #rate-limiting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final

from flask import Request, Response, current_app

from ..account import Token
from ..vendor import Answer
from .errors import RefusedError

RATE_LIMIT: Final = "hetzner_rate_limit"
"""The key of the rate limit in the extensions of the application."""


class RateLimit:
    """The requests that a project has left: 3600 per hour, of which one becomes available again each second."""

    def __init__(self, limit: int = 3600) -> None:
        self._limit = limit
        self._remaining = float(limit)
        self._updated = time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Counts one request; returns whether it is within the limit."""
        with self._lock:
            now = time.monotonic()
            self._remaining = min(self._limit, self._remaining + now - self._updated)
            self._updated = now
            within = self._remaining >= 1
            self._remaining -= within
            return within

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every response. `RateLimit-Reset` is the Unix time of the full limit."""
        reset = time.time() + self._limit - self._remaining
        return {
            "RateLimit-Limit": str(self._limit),
            "RateLimit-Remaining": str(int(self._remaining)),
            "RateLimit-Reset": str(int(reset)),
        }


def authenticate(request: Request, tokens: Sequence[Token], changes: bool) -> Answer | None:
    """An error if the token is missing or unknown, if it may only read, or if the project sent too many requests."""
    header = request.headers.get("Authorization", "")
    token = next((token for token in tokens if token.vendor == "hetzner" and header == f"Bearer {token.value}"), None)
    if token is None:
        return RefusedError("unauthorized", "unable to authenticate").answer
    if not _rate_limit().take():
        return RefusedError("rate_limit_exceeded", "limit of requests per hour reached").answer
    if changes and "write" not in token.rights:
        return RefusedError("token_readonly", "token is only allowed to perform GET requests").answer
    return None


def add_rate_limit(response: Response) -> Response:
    """Adds the headers of the rate limit to an answer."""
    response.headers.extend(_rate_limit().headers)
    return response


def _rate_limit() -> RateLimit:
    limit: RateLimit = current_app.extensions.setdefault(RATE_LIMIT, RateLimit())
    return limit
