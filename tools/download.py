"""Fetches files over HTTP: a download that was interrupted goes on where it was, and a site that is out of reach is known in seconds."""

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

from tools.program import BuildError

PROBE_SECONDS = 4.0
"""How long the sites are given to answer before the programs are built from source instead."""
STALL_SECONDS = 30.0
"""How long a download may stand still."""
ATTEMPTS = 4
PAUSE_SECONDS = 0.25
"""Before the second attempt; twice as long before each other one."""
BLOCK = 1 << 18

T = TypeVar("T")

# The bytes as they are published: a server must not compress them on the way.
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "honeydue-tools"}
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}


class _InterruptedError(Exception):
    """The connection broke, or the site could not answer for now; tried again."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a site says of one file."""

    reachable: bool
    published: bool = False
    """Whether the site has the file."""
    size: int = 0
    """In bytes; 0 where it is not told."""
    reason: str = ""
    """Why the site counts as out of reach."""


def host(url: str) -> str:
    """Whom a failure is about, without the password that a proxy's URL may hold."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else f"{parts.hostname}"


def shown(url: str) -> str:
    """The URL as it may be printed."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{host(url)}{parts.path}"


def probe(urls: Iterable[str]) -> Mapping[str, Answer]:
    """Asks for all the files at once; after PROBE_SECONDS, what has not answered is out of reach."""
    answers: dict[str, Answer] = {}
    told: queue.SimpleQueue[tuple[str, Answer]] = queue.SimpleQueue()
    waiting = dict.fromkeys(urls)
    for url in waiting:
        # Daemons: a resolver that hangs must not keep the program from ending.
        threading.Thread(target=lambda url=url: told.put((url, _ask(url))), daemon=True).start()
    deadline = time.monotonic() + PROBE_SECONDS
    try:
        while len(answers) < len(waiting):
            url, answer = told.get(timeout=max(0.0, deadline - time.monotonic()))
            answers[url] = answer
    except queue.Empty:
        silent = Answer(reachable=False, reason=f"no answer in {PROBE_SECONDS:g} s")
        answers |= {url: silent for url in waiting if url not in answers}
    return answers


def _ask(url: str) -> Answer:
    try:
        # One byte of the file itself: a site's front page says nothing of its downloads, and not every store answers HEAD.
        with requests.get(
            url, headers={**_HEADERS, "Range": "bytes=0-0"}, stream=True, timeout=PROBE_SECONDS
        ) as answer:
            if answer.status_code in _GONE:
                return Answer(reachable=True)
            if not answer.ok:
                return Answer(reachable=False, reason=f"HTTP {answer.status_code}")
            total = answer.headers.get("Content-Range", "").rpartition("/")[2] or answer.headers.get(
                "Content-Length", ""
            )
            return Answer(reachable=True, published=True, size=int(total) if total.isdigit() else 0)
    except requests.RequestException as error:
        return Answer(reachable=False, reason=_brief(error))


def text(url: str) -> str:
    """A small file, whole; a BuildError where it cannot be had."""

    def once() -> str:
        with _response(url) as answer:
            return answer.text

    return _patiently(once)


def fetch(url: str, target: Path, advance: Callable[[int], None] = lambda _: None) -> None:
    """Writes the file to `target`, going on with what an earlier run left beside it; a BuildError where it cannot be had.

    `advance` is told how many bytes are there.
    """
    partial = partial_file(target)
    _patiently(lambda: _go_on(url, partial, advance))
    partial.replace(target)


def partial_file(target: Path) -> Path:
    """Where a download stands until it is complete."""
    return target.with_name(f"{target.name}.part")


def sha256(file: Path) -> str:
    """The file's digest, in hex."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _patiently(once: Callable[[], T]) -> T:
    again = Retrying(
        retry=retry_if_exception_type(_InterruptedError),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=PAUSE_SECONDS),
        reraise=True,
    )
    try:
        return again(once)
    except _InterruptedError as error:
        raise BuildError(str(error)) from error


def _response(url: str, *, start: int = 0) -> requests.Response:
    headers = {**_HEADERS, "Range": f"bytes={start}-"} if start else _HEADERS
    try:
        answer = requests.get(url, headers=headers, stream=True, timeout=(PROBE_SECONDS, STALL_SECONDS))
    except requests.RequestException as error:
        raise _InterruptedError(
            f"{host(url)} cannot be reached ({_brief(error)}): check the network, then run it again"
        ) from error
    if answer.ok or answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return answer
    answer.close()
    if answer.status_code in _GONE:
        raise BuildError(
            f"{shown(url)} does not exist (HTTP {answer.status_code}): check the version in go.mod, or set HONEYDUE_TOOLS=build"
        )
    problem = f"{host(url)} does not give out {Path(urlsplit(url).path).name} (HTTP {answer.status_code})"
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        raise _InterruptedError(f"{problem}: run it again later, or set HONEYDUE_TOOLS=build")
    raise BuildError(f"{problem}: check the proxy, or set HONEYDUE_TOOLS=build")


def _go_on(url: str, partial: Path, advance: Callable[[int], None]) -> None:
    there = partial.stat().st_size if partial.exists() else 0
    with _response(url, start=there) as answer:
        if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            # Nothing is left to fetch, or what is there is of another file: its checksum tells.
            return
        # A server that knows no ranges sends all of it.
        goes_on = answer.status_code == HTTPStatus.PARTIAL_CONTENT
        there = there if goes_on else 0
        with partial.open("ab" if goes_on else "wb") as file:
            try:
                for block in answer.iter_content(BLOCK):
                    file.write(block)
                    there += len(block)
                    advance(there)
            except requests.RequestException as error:
                name = Path(urlsplit(url).path).name
                raise _InterruptedError(
                    f"the download of {name} from {host(url)} broke off after {there / 1e6:.1f} MB ({_brief(error)}): "
                    "run it again, it goes on there"
                ) from error


def _brief(error: requests.RequestException) -> str:
    """The reason alone: requests' own words hold the whole URL, and the addresses of its objects."""
    words = str(error)
    match error:
        case requests.exceptions.ProxyError():
            return "the proxy refuses"
        case requests.exceptions.SSLError():
            return "its certificate is not trusted"
        case requests.exceptions.ChunkedEncodingError():
            return "the connection was cut"
        case requests.exceptions.Timeout():
            return "no answer"
    if "timed out" in words:
        # While the content is read, requests makes a ConnectionError of it.
        return "nothing came any more"
    return "no such host" if "resolve" in words else "no connection"
