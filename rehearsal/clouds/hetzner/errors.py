"""Errors of the API: codes and statuses (https://docs.hetzner.cloud/reference/cloud#errors)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..vendor import Answer

# All other codes, such as `invalid_input`, have the status 422.
_STATUSES: Final = {
    "json_error": 400,
    "unauthorized": 401,
    "token_readonly": 403,
    "protected": 403,
    "resource_limit_exceeded": 403,
    "not_found": 404,
    "uniqueness_error": 409,
    "deprecated_api_endpoint": 410,
    "resource_unavailable": 412,
    "locked": 423,
    "rate_limit_exceeded": 429,
    "server_error": 500,
}


class RefusedError(Exception):
    """The API refuses a request."""

    def __init__(self, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        error = {"code": code, "message": message, "details": details}
        self.answer: Answer = ({"error": error}, _STATUSES.get(code, 422))


def invalid_input(field: str, message: str) -> RefusedError:
    """A value that the API does not accept; `details.fields` names the field."""
    details = {"fields": [{"name": field, "messages": [message]}]}
    return RefusedError("invalid_input", f"invalid input in field '{field}': {message}", details)
