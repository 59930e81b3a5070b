"""Requests to one vendor's HTTP API, as its real provider plugin sends them."""

from __future__ import annotations

import email
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol, TypeAlias, TypedDict, Unpack

import requests

_SECONDS = 60

Files: TypeAlias = Mapping[str, tuple[str | None, str, str]]
"""The parts of a multipart body by name: file name, content and its type."""


class _Content(TypedDict, total=False):
    """What a request contains, as `requests` names it."""

    params: Mapping[str, str] | None
    json: Any
    files: Files


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
        return self._send("GET", path, params=query)

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
        return self._send("POST", path, json=body)

    def put(self, path: str, body: Any) -> Any:  # noqa: ANN401  # JSON
        """The result of a PUT; raises ApiError."""
        return self._send("PUT", path, json=body)

    def put_files(self, path: str, files: Files) -> Any:  # noqa: ANN401  # JSON
        """The result of a PUT with a multipart body; raises ApiError."""
        return self._send("PUT", path, files=files)

    def get_part(self, path: str) -> str:
        """The text of the first part of a multipart response; raises ApiError."""
        answer = self._request("GET", path)
        header = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n"
        _, part, *_ = email.message_from_bytes(header.encode() + answer.content).walk()
        return bytes(part.get_payload(decode=True)).decode()

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401  # JSON
        """The result of a PATCH; raises ApiError."""
        return self._send("PATCH", path, json=body)

    def delete(self, path: str, *, missing_ok: bool = True) -> None:
        """Deletes an object; raises ApiError. With `missing_ok`, an object that does not exist is no error."""
        try:
            self._send("DELETE", path)
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND or not missing_ok:
                raise

    def _send(self, method: str, path: str, **content: Unpack[_Content]) -> Any:  # noqa: ANN401  # JSON
        answer = self._request(method, path, **content)
        return self._vendor.result(answer.json() if answer.content else None) if self._vendor else None

    def _request(self, method: str, path: str, **content: Unpack[_Content]) -> requests.Response:
        if self._vendor is None:
            raise LookupError("this provider has no vendor")
        url = f"{self._url}/{path}"
        try:
            answer = self._session.request(method, url, timeout=_SECONDS, **content)
        except requests.RequestException as error:
            raise ApiError(f"{method} {url}: {error}") from error
        if not answer.ok:
            raise self._vendor.error(method, url, answer.status_code, answer.json() if answer.content else None)
        return answer
