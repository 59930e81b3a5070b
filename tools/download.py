"""Downloads files over HTTP: resumes interrupted downloads and detects unreachable sites within seconds."""

import hashlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import requests
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from tools.errors import ToolsError

PROBE_SECONDS = 4.0
"""Timeout of a probe. A site that takes longer counts as unreachable, and its programs are built from source."""
STALL_SECONDS = 30.0
"""A download fails if no byte arrives for this long."""
ATTEMPTS = 4
PAUSE_SECONDS = 0.25
"""Pause before the second attempt. It doubles before each further attempt."""
BLOCK_BYTES = 1 << 18

T = TypeVar("T")

# "identity" prevents compression: the checksums are those of the published bytes.
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "honeydue-tools"}
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}


class _TransientError(Exception):
    """The connection broke, or the site is temporarily unavailable. The download is tried again."""


@dataclass(frozen=True, kw_only=True)
class Availability:
    """Whether a file can be downloaded."""

    reachable: bool
    exists: bool = False
    size: int = 0
    """Bytes. 0 if the site does not report the size."""
    reason: str = ""
    """Why the site is unreachable."""


def host(url: str) -> str:
    """Host and port for an error message. It leaves out the password that a proxy's URL may contain."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else f"{parts.hostname}"


def printable_url(url: str) -> str:
    """The URL without user name, password and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{host(url)}{parts.path}"


def probe(urls: Iterable[str]) -> Mapping[str, Availability]:
    """Requests all files at the same time. A site that does not respond within PROBE_SECONDS counts as unreachable."""
    availability: dict[str, Availability] = {}
    results: queue.SimpleQueue[tuple[str, Availability]] = queue.SimpleQueue()
    pending = dict.fromkeys(urls)
    for url in pending:
        # Daemon threads: a DNS query that hangs must not prevent the process from exiting.
        threading.Thread(target=lambda url=url: results.put((url, _probe(url))), daemon=True).start()
    deadline = time.monotonic() + PROBE_SECONDS
    try:
        while len(availability) < len(pending):
            url, result = results.get(timeout=max(0.0, deadline - time.monotonic()))
            availability[url] = result
    except queue.Empty:
        timeout = Availability(reachable=False, reason=f"no response in {PROBE_SECONDS:g} s")
        availability |= {url: timeout for url in pending if url not in availability}
    return availability


def _probe(url: str) -> Availability:
    # One byte of the file: a site's front page does not show whether its downloads work, and some stores reject HEAD.
    headers = {**_HEADERS, "Range": "bytes=0-0"}
    try:
        with requests.get(url, headers=headers, stream=True, timeout=PROBE_SECONDS) as response:
            if response.status_code in _GONE:
                return Availability(reachable=True)
            if not response.ok:
                return Availability(reachable=False, reason=f"HTTP {response.status_code}")
            total = response.headers.get("Content-Range", "").rpartition("/")[2]
            size = total or response.headers.get("Content-Length", "")
            return Availability(reachable=True, exists=True, size=int(size) if size.isdigit() else 0)
    except requests.RequestException as error:
        return Availability(reachable=False, reason=_reason(error))


def text(url: str) -> str:
    """The content of a small file. Raises ToolsError if it cannot be downloaded."""

    def attempt() -> str:
        with _get(url) as response:
            return response.text

    return _with_retries(attempt)


def fetch(url: str, target: Path, on_progress: Callable[[int], None] = lambda _: None) -> None:
    """Downloads a file to `target`, and resumes the partial download of an earlier run.

    Calls `on_progress` with the number of bytes downloaded so far. Raises ToolsError.
    """
    partial = partial_file(target)
    _with_retries(lambda: _resume(url, partial, on_progress))
    partial.replace(target)


def partial_file(target: Path) -> Path:
    """The file that holds an incomplete download."""
    return target.with_name(f"{target.name}.part")


def sha256(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _with_retries(attempt: Callable[[], T]) -> T:
    retrying = Retrying(
        retry=retry_if_exception_type(_TransientError),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=PAUSE_SECONDS),
        reraise=True,
    )
    try:
        return retrying(attempt)
    except _TransientError as error:
        raise ToolsError(str(error)) from error


def _get(url: str, *, start: int = 0) -> requests.Response:
    headers = {**_HEADERS, "Range": f"bytes={start}-"} if start else _HEADERS
    try:
        response = requests.get(url, headers=headers, stream=True, timeout=(PROBE_SECONDS, STALL_SECONDS))
    except requests.RequestException as error:
        raise _TransientError(
            f"{host(url)} is unreachable ({_reason(error)}): check the network, then run the same command again"
        ) from error
    status = response.status_code
    if response.ok or status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return response
    response.close()
    if status in _GONE:
        raise ToolsError(
            f"{printable_url(url)} does not exist (HTTP {status}): "
            "check the version in go.mod, or set HONEYDUE_TOOLS=build"
        )
    problem = f"{host(url)} refuses to serve {Path(urlsplit(url).path).name} (HTTP {status})"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        raise _TransientError(f"{problem}: run the same command again later, or set HONEYDUE_TOOLS=build")
    raise ToolsError(f"{problem}: check the proxy, or set HONEYDUE_TOOLS=build")


def _resume(url: str, partial: Path, on_progress: Callable[[int], None]) -> None:
    size = partial.stat().st_size if partial.exists() else 0
    with _get(url, start=size) as response:
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            # The download is complete, or the partial file belongs to another file. Its checksum decides.
            return
        # A server without support for ranges sends the whole file.
        resumed = response.status_code == HTTPStatus.PARTIAL_CONTENT
        size = size if resumed else 0
        with partial.open("ab" if resumed else "wb") as file:
            try:
                for block in response.iter_content(BLOCK_BYTES):
                    file.write(block)
                    size += len(block)
                    on_progress(size)
            except requests.RequestException as error:
                name = Path(urlsplit(url).path).name
                raise _TransientError(
                    f"the download of {name} from {host(url)} stopped after {size / 1e6:.1f} MB ({_reason(error)}): "
                    "run the same command again to resume it"
                ) from error


def _reason(error: requests.RequestException) -> str:
    """A short reason. The message of a requests exception contains the whole URL and addresses of Python objects."""
    message = str(error)
    match error:
        case requests.exceptions.ProxyError():
            return "the proxy refuses the connection"
        case requests.exceptions.SSLError():
            return "its certificate is not trusted"
        case requests.exceptions.ChunkedEncodingError():
            return "the connection was closed"
        case requests.exceptions.Timeout():
            return "no response"
    if "timed out" in message:
        # requests raises ConnectionError for a read timeout in the middle of the content.
        return "no more data arrived"
    return "unknown host" if "resolve" in message else "no connection"
