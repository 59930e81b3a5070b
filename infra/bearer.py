"""Authentication with a token, for requests that the library `requests` sends."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from requests import PreparedRequest


def bearer(token: str) -> "Callable[[PreparedRequest], PreparedRequest]":
    """Sets the header. It is a function, because an entry in ~/.netrc would replace a header."""

    def authenticate(request: "PreparedRequest") -> "PreparedRequest":
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return authenticate
