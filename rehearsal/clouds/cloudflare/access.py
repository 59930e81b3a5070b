"""API tokens: their permission groups, and the rate limit.

https://developers.cloudflare.com/fundamentals/api/reference/permissions/ lists the groups, and each operation of
https://developers.cloudflare.com/api names those that it accepts. The codes of refusals are not documented; they are
those that users of the API report.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus
from typing import Final

from flask import Request, Response, current_app, g

from ..account import Token
from ..vendor import Answer
from .answers import blueprint, error, result

_PREFIX: Final = "/client/v4/"
_PUBLIC: Final = "ips"
_VERIFY: Final = "user/tokens/verify"
_ZONES: Final = "zones"
"""The list of zones needs no right: it contains the zones that the token may read."""

_UNAUTHORIZED: Final = error(HTTPStatus.FORBIDDEN, 9109, "Unauthorized to access requested resource")
_AUTHENTICATION_ERROR: Final = error(HTTPStatus.FORBIDDEN, 10000, "Authentication error")

# The rules of a phase need the group of its product: "API token permissions" of each page below
# https://developers.cloudflare.com/rules/ and https://developers.cloudflare.com/waf/.
_GROUPS_BY_PHASE: Final = {
    "http_config_settings": "Config Rules",
    "http_ratelimit": "Zone WAF",
    "http_request_cache_settings": "Cache Rules",
    "http_request_dynamic_redirect": "Single Redirect",
    "http_request_firewall_custom": "Zone WAF",
    "http_request_firewall_managed": "Zone WAF",
    "http_request_late_transform": "Transform Rules",
    "http_request_origin": "Origin Rules",
    "http_request_transform": "Transform Rules",
    "http_response_headers_transform": "Transform Rules",
}
# https://github.com/cloudflare/origin-ca-issuer/issues/66
_NO_ORIGIN_CA: Final = error(HTTPStatus.FORBIDDEN, 1016, "User is not authorized to perform this action")

# Paths, the permission groups of which the token needs one, and the answer without it. The first match counts.
_RIGHTS: Final[Sequence[tuple[str, tuple[str, ...], Answer]]] = (
    (r"zones/[^/]+/dns_records(/.*)?", ("DNS",), _AUTHENTICATION_ERROR),
    (r"zones/[^/]+/settings(/.*)?", ("Zone Settings",), _UNAUTHORIZED),
    (r"zones/[^/]+/origin_tls_client_auth(/.*)?", ("SSL and Certificates",), _AUTHENTICATION_ERROR),
    (r"certificates(/.*)?", ("SSL and Certificates",), _NO_ORIGIN_CA),
    *(
        (rf"zones/[^/]+/rulesets/phases/{phase}(/.*)?", (group,), _AUTHENTICATION_ERROR)
        for phase, group in _GROUPS_BY_PHASE.items()
    ),
    (r"(zones|accounts)/[^/]+/rulesets(/.*)?", tuple(_GROUPS_BY_PHASE.values()), _AUTHENTICATION_ERROR),
    (r"zones/[^/]+/pagerules(/.*)?", ("Page Rules", "Zone"), _UNAUTHORIZED),
    (r"zones/[^/]+/workers/routes(/.*)?", ("Workers Routes",), _AUTHENTICATION_ERROR),
    (r"accounts/[^/]+/workers/.*", ("Workers Scripts",), _AUTHENTICATION_ERROR),
    (r"zones(/[^/]+)?", ("Zone",), _UNAUTHORIZED),
)

# https://developers.cloudflare.com/fundamentals/api/reference/limits/
REQUESTS: Final = 1200
WINDOW_SECONDS: Final = 300.0


@dataclass
class _Window:
    """How many requests a token sent since the start of its window."""

    start: float = field(default_factory=time.monotonic)
    requests: int = 0

    @property
    def seconds_left(self) -> int:
        """Rounded up, as in the header `Retry-After`."""
        return max(1, int(self.start + WINDOW_SECONDS - time.monotonic()) + 1)


class _RateLimit:
    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}
        self._lock = threading.Lock()

    def count(self, token: str) -> _Window:
        with self._lock:
            window = self._windows.get(token)
            if window is None or time.monotonic() - window.start >= WINDOW_SECONDS:
                window = self._windows[token] = _Window()
            window.requests += 1
            return window


def authenticate(request_: Request, tokens: Sequence[Token], writes: bool) -> Answer | None:
    """A refusal, or None if the token of the request allows it."""
    path = request_.path.removeprefix(_PREFIX)
    if path == _PUBLIC:
        return None
    token = _token(request_, tokens)
    if not isinstance(token, Token):
        return token
    g.token = token
    limit: _RateLimit = current_app.extensions.setdefault("cloudflare_rate_limit", _RateLimit())
    g.window = limit.count(token.value)
    if g.window.requests > REQUESTS:
        return error(HTTPStatus.TOO_MANY_REQUESTS, 971, "Please wait and consider throttling your request speed")
    return _missing_right(token, path, writes)


def _token(request_: Request, tokens: Sequence[Token]) -> Token | Answer:
    scheme, _, value = request_.headers.get("Authorization", "").partition(" ")
    if not scheme:
        message = "Missing X-Auth-Key, X-Auth-Email or Authorization headers"
        return error(HTTPStatus.BAD_REQUEST, 9106, message)
    if scheme != "Bearer" or not value:
        return error(HTTPStatus.BAD_REQUEST, 6003, "Invalid request headers")
    for token in tokens:
        if (token.vendor, token.value) == ("cloudflare", value):
            return token
    if request_.path == f"{_PREFIX}{_VERIFY}":
        return error(HTTPStatus.UNAUTHORIZED, 1000, "Invalid API Token")
    return error(HTTPStatus.FORBIDDEN, 9109, "Invalid access token")


def may_read_zones() -> bool:
    """Whether the token of the request may read the account's zones."""
    token: Token = g.token
    return _has(token, ("Zone",), writes=False)


def _missing_right(token: Token, path: str, writes: bool) -> Answer | None:
    if path == _ZONES and not writes:
        return None
    for pattern, groups, refusal in _RIGHTS:
        if re.fullmatch(pattern, path):
            return None if _has(token, groups, writes=writes) else refusal
    return None


def _has(token: Token, groups: Sequence[str], *, writes: bool) -> bool:
    levels = ("Edit",) if writes else ("Edit", "Read")
    return any(f"{group}:{level}" in token.rights for group in groups for level in levels)


@blueprint.after_request
def _rate_headers(response: Response) -> Response:
    window: _Window | None = g.get("window")
    if window is not None:
        remaining = max(0, REQUESTS - window.requests)
        response.headers["Ratelimit"] = f'"default";r={remaining};t={window.seconds_left}'
        response.headers["Ratelimit-Policy"] = f'"default";q={REQUESTS};w={WINDOW_SECONDS:.0f}'
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            response.headers["Retry-After"] = str(window.seconds_left)
    return response


@blueprint.get("/user/tokens/verify")
def _verify() -> Answer:
    token: Token = g.token
    # https://developers.cloudflare.com/api/resources/user/subresources/tokens/methods/verify/
    return result({"id": sha256(token.value.encode()).hexdigest()[:32], "status": "active"})
