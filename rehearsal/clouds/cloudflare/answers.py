"""The envelope of every answer: `result`, `success`, `errors`, `messages`, and `result_info` of lists.

https://developers.cloudflare.com/fundamentals/api/how-to/make-api-calls/
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, Never

from flask import Blueprint, Request, request

from ..store import Json, Object
from ..vendor import Answer

blueprint: Final = Blueprint("cloudflare", __name__)


class RefusedError(Exception):
    """Ends a request with an error; nothing is changed."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


def result(value: Json, **more: Json) -> Answer:
    """A successful answer."""
    return {"result": value, "success": True, "errors": [], "messages": [], **more}, HTTPStatus.OK


def error(status: int, code: int, message: str) -> Answer:
    """An answer with one error."""
    return {"result": None, "success": False, "errors": [{"code": code, "message": message}], "messages": []}, status


def refuse(code: int, message: str, status: int = HTTPStatus.BAD_REQUEST) -> Never:
    """Ends the request with an error."""
    raise RefusedError(error(status, code, message))


def page(objects: Sequence[Object], *, per_page: int, largest: int) -> Answer:
    """The page of a list that the request's `page` and `per_page` ask for; `per_page` here is the default.

    A page after the last one is empty. Cloudflare's clients ask for pages until they get an empty one.
    """
    number = max(1, request.args.get("page", 1, type=int))
    size = min(max(1, request.args.get("per_page", per_page, type=int)), largest)
    part = objects[(number - 1) * size : number * size]
    info = {
        "page": number,
        "per_page": size,
        "count": len(part),
        "total_count": len(objects),
        "total_pages": -(-len(objects) // size),
    }
    return result(part, result_info=info)


def body(*required: str) -> Object:
    """The JSON object of the request; refuses one without the required fields."""
    content = request.get_json(silent=True)
    if not isinstance(content, dict):
        refuse(6007, "Malformed JSON in request body")
    for name in required:
        if not content.get(name):
            # https://github.com/cloudflare/node-cloudflare/issues/98
            refuse(1004, f"Missing '{name}'")
    return content


def unknown_path(request_: Request, status: int) -> Answer:
    """The answer to a path or method that the API does not have."""
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return error(status, 10405, "Method not allowed for this authentication scheme")
    if status == HTTPStatus.NOT_FOUND:
        return _not_routed(request_)
    return broken(HTTPStatus(status).phrase)


def unknown_object() -> Never:
    """The answer to an id that is no zone of the account, or no object of the zone."""
    raise RefusedError(_not_routed(request))


def broken(message: str) -> Answer:
    """The answer of a server that failed."""
    return error(HTTPStatus.INTERNAL_SERVER_ERROR, 10001, message)


def new_id() -> str:
    """An identifier: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def now() -> str:
    """The time as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _not_routed(request_: Request) -> Answer:
    message = f"Could not route to {request_.path}, perhaps your object identifier is invalid?"
    return error(HTTPStatus.NOT_FOUND, 7003, message)


@blueprint.errorhandler(RefusedError)
def _refused(refused: RefusedError) -> Answer:
    return refused.answer
