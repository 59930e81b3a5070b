"""The part of Gitea's API that CI uses: it updates one comment, and opens, updates and closes one issue."""

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
PAGE_SIZE = 50
"""Gitea's default maximum (MAX_RESPONSE_ITEMS)."""
RETRY = Retry(total=3, backoff_factor=0.5, status_forcelist=(502, 503, 504), allowed_methods=("GET", "PATCH"))
"""Never repeats a POST: it may have succeeded although its response was lost."""

ERRORS = {
    401: "the job's token is no longer valid, run the job again",
    403: "the job's token may not write issues (a token of a fork's pull request may only read)",
    404: "no such repository, issue or pull request for this token",
}
"""What an HTTP status means here."""


JOB_USER_ID = -2
"""The user of every job's token, gitea-actions (models/user/user_system.go). Nobody can register with a negative id."""


class User(BaseModel):
    """The author of an issue or a comment."""

    id: int


class Comment(BaseModel):
    """A comment on an issue or pull request."""

    id: int
    body: str
    user: User


class Issue(BaseModel):
    """An open issue."""

    number: int
    title: str
    body: str
    user: User


class Gitea:
    """One repository. The token needs permission to write issues.

    Only issues and comments of jobs are changed. Anybody can open an issue with the same title, or write a comment with
    the marker, and could otherwise edit the report afterwards.
    """

    def __init__(self, server: str, repository: str, token: str) -> None:
        self._repository_url = f"{server.rstrip('/')}/api/v1/repos/{repository}"
        self._host = urlsplit(server).netloc
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"token {token}"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=RETRY))

    @classmethod
    def of_this_job(cls) -> Self:
        """The repository of the current job. The token is not an option: every user of a machine can read arguments."""
        names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN")
        if missing := [name for name in names if not os.environ.get(name)]:
            raise OpsError(f"{', '.join(missing)} not set. This command runs in a Gitea Actions job (docs/ci.md)")
        return cls(*(os.environ[name] for name in names))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def upsert_comment(self, number: int, marker: str, text: str) -> None:
        """Create or update the comment of a job that starts with the marker."""
        body = f"{marker}\n{text}"
        comments = TypeAdapter(list[Comment]).validate_python(self._request("GET", f"issues/{number}/comments"))
        existing = next(
            (comment for comment in comments if comment.user.id == JOB_USER_ID and comment.body.startswith(marker)),
            None,
        )
        if existing is None:
            self._request("POST", f"issues/{number}/comments", {"body": body})
        elif existing.body != body:
            self._request("PATCH", f"issues/comments/{existing.id}", {"body": body})

    def upsert_issue(self, title: str, text: str) -> None:
        """Create or update the open issue of a job with this title."""
        existing = self._open_issue(title)
        if existing is None:
            self._request("POST", "issues", {"title": title, "body": text})
        elif existing.body != text:
            self._request("PATCH", f"issues/{existing.number}", {"body": text})

    def close_issue(self, title: str) -> None:
        """Close the open issue of a job with this title, if there is one."""
        if existing := self._open_issue(title):
            self._request("PATCH", f"issues/{existing.number}", {"state": "closed"})

    def _open_issue(self, title: str) -> Issue | None:
        return next(
            (issue for issue in self._open_issues() if issue.user.id == JOB_USER_ID and issue.title == title), None
        )

    def _open_issues(self) -> Iterator[Issue]:
        page = 1
        while issues := self._request("GET", f"issues?state=open&type=issues&limit={PAGE_SIZE}&page={page}"):
            yield from TypeAdapter(list[Issue]).validate_python(issues)
            page += 1

    def _request(self, method: str, path: str, body: Mapping[str, str] | None = None) -> object:
        try:
            response = self._session.request(
                method, f"{self._repository_url}/{path}", json=body, timeout=TIMEOUT_SECONDS
            )
            content: object = response.json() if response.ok else None
        except requests.RequestException as error:
            raise OpsError(
                f"Gitea at {self._host} does not respond ({type(error).__name__}). Run the job again"
            ) from None
        if not response.ok:
            reason = ERRORS.get(response.status_code, response.reason)
            raise OpsError(f"Gitea at {self._host} returned {response.status_code} for {method} {path}: {reason}")
        return content
