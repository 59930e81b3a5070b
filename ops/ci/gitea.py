"""Gitea's API, as far as CI needs it: one comment that is edited, one issue that is opened, kept and closed."""

import os
from collections.abc import Iterator, Mapping
from typing import Self
from urllib.parse import urlsplit

import requests
from pydantic import BaseModel, TypeAdapter
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from ops.errors import OpsError

TIMEOUT_SECONDS = 30
PAGE = 50
"""Gitea's own limit (MAX_RESPONSE_ITEMS)."""
PASSING = Retry(total=3, backoff_factor=0.5, status_forcelist=(502, 503, 504), allowed_methods=("GET", "PATCH"))
"""What is asked again: never a POST, whose answer alone may have been lost."""

MEANING = {
    401: "the job's token is no longer valid, run the job again",
    403: "the job's token may not write issues (that of a fork's pull request may only read)",
    404: "no such repository, issue or pull request for this token",
}


class Comment(BaseModel):
    """One comment of an issue or of a pull request, which is an issue here."""

    id: int
    body: str


class Issue(BaseModel):
    """An open one."""

    number: int
    title: str
    body: str


class Gitea:
    """One repository; the token needs to write issues, and nothing else."""

    def __init__(self, server: str, repository: str, token: str) -> None:
        self._repository = f"{server.rstrip('/')}/api/v1/repos/{repository}"
        self._host = urlsplit(server).netloc
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"token {token}"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=PASSING))

    @classmethod
    def of_this_job(cls) -> Self:
        """The repository whose job this is. The token comes by the environment alone: every user of a machine can read arguments."""
        names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN")
        if missing := [name for name in names if not os.environ.get(name)]:
            raise OpsError(
                f"{', '.join(missing)} not set: this is for a job of Gitea Actions, which sets them (docs/ci.md)"
            )
        return cls(*(os.environ[name] for name in names))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def keep_comment(self, number: int, marker: str, text: str) -> None:
        """Makes this the one comment that begins with the marker: edits the one that is there, or adds it."""
        body = f"{marker}\n{text}"
        comments = TypeAdapter(list[Comment]).validate_python(self._ask("GET", f"issues/{number}/comments"))
        mine = next((one for one in comments if one.body.startswith(marker)), None)
        if mine is None:
            self._ask("POST", f"issues/{number}/comments", {"body": body})
        elif mine.body != body:
            self._ask("PATCH", f"issues/comments/{mine.id}", {"body": body})

    def keep_issue(self, title: str, text: str) -> None:
        """Makes this the one open issue of that title: edits it, or opens it."""
        mine = self._open_issue(title)
        if mine is None:
            self._ask("POST", "issues", {"title": title, "body": text})
        elif mine.body != text:
            self._ask("PATCH", f"issues/{mine.number}", {"body": text})

    def close_issue(self, title: str) -> None:
        """Closes the open issue of that title, if there is one."""
        if mine := self._open_issue(title):
            self._ask("PATCH", f"issues/{mine.number}", {"state": "closed"})

    def _open_issue(self, title: str) -> Issue | None:
        return next((one for one in self._open_issues() if one.title == title), None)

    def _open_issues(self) -> Iterator[Issue]:
        page = 1
        while found := self._ask("GET", f"issues?state=open&type=issues&limit={PAGE}&page={page}"):
            yield from TypeAdapter(list[Issue]).validate_python(found)
            page += 1

    def _ask(self, method: str, path: str, sent: Mapping[str, str] | None = None) -> object:
        try:
            answer = self._session.request(method, f"{self._repository}/{path}", json=sent, timeout=TIMEOUT_SECONDS)
            found: object = answer.json() if answer.ok else None
        except requests.RequestException as error:
            raise OpsError(
                f"Gitea at {self._host} does not answer ({type(error).__name__}); run the job again"
            ) from None
        if not answer.ok:
            said = MEANING.get(answer.status_code, answer.reason)
            raise OpsError(f"Gitea at {self._host} answers {answer.status_code} to {method} {path}: {said}")
        return found
