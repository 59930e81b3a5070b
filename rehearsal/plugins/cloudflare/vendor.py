"""The envelope of Cloudflare's responses, and the error messages of the real plugin."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from ..client import ApiError


class Cloudflare:
    """Reads responses of Cloudflare's API."""

    def result(self, content: Any) -> Any:  # noqa: ANN401  # JSON
        """The `result` of a response; None for a response without a body."""
        return content["result"] if content else None

    def error(self, method: str, url: str, status: int, content: Any) -> ApiError:  # noqa: ANN401  # JSON
        """An error with the message of cloudflare-go: the request, the status and the body."""
        body = json.dumps(content, separators=(",", ":"))
        errors = content.get("errors") if isinstance(content, dict) else None
        return ApiError(
            f'failed to make http request: {method} "{url}": {status} {HTTPStatus(status).phrase} {body}',
            status=status,
            code=str(errors[0]["code"]) if errors else "",
        )
