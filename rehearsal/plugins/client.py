"""Requests to one vendor's HTTP API, as its real provider plugin sends them."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol

import requests

_SECONDS = 60


class ApiError(Exception):
    """The vendor's API refused; the message is worded as the real plugin words it.

    Attributes:
        status: HTTP status code.
        code: the vendor's own code, such as `protected` or `81058`; "" if the answer had none.
    """

    def __init__(self, message: str, *, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Vendor(Protocol):
    """How a vendor words its answers."""

    def result(self, content: Any) -> Any:  # noqa: ANN401  # JSON
        """The result in a response."""

    def error(self, method: str, url: str, status: int, content: Any) -> ApiError:  # noqa: ANN401  # JSON
        """An answer with an error, as the real plugin shows it."""


class Client:
    """One vendor's API. `url` includes the version, such as `http://127.0.0.1:4711/v1`.

    A provider without a vendor (tls, random) has a client that it never uses.
    """

    def __init__(self, vendor: Vendor | None, url: str, token: str) -> None:
        self._vendor = vendor
        self._url = url
        self._session = requests.Session()
        # Neither a proxy nor ~/.netrc of the operator: every request stays on this machine.
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401  # JSON
        """The result of a GET; raises ApiError."""
        return self._send("GET", path, query=query)

    def find(self, path: str) -> Any | None:  # noqa: ANN401  # JSON
        """Like `get`; None if the object does not exist."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401  # JSON
        """The result of a POST; raises ApiError."""
        return self._send("POST", path, body=body)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401  # JSON
        """The result of a PUT; raises ApiError."""
        return self._send("PUT", path, body=body)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401  # JSON
        """The result of a PATCH; raises ApiError."""
        return self._send("PATCH", path, body=body)

    def delete(self, path: str, *, missing_ok: bool = True) -> None:
        """Deletes an object; raises ApiError. With `missing_ok`, an object that does not exist is no error."""
        try:
            self._send("DELETE", path)
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND or not missing_ok:
                raise

    def _send(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> Any:  # noqa: ANN401  # JSON
        if self._vendor is None:
            raise LookupError("this provider has no vendor")
        url = f"{self._url}/{path}"
        try:
            answer = self._session.request(method, url, params=query, json=body, timeout=_SECONDS)
        except requests.RequestException as error:
            raise ApiError(f"{method} {url}: {error}") from error
        content = answer.json() if answer.content else None
        if not answer.ok:
            raise self._vendor.error(method, url, answer.status_code, content)
        return self._vendor.result(content)
