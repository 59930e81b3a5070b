"""The part of Grafana's HTTP API that stores dashboards and annotations.

https://grafana.com/docs/grafana/latest/developers/http_api/
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Self, TypeVar

import requests
from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from infra.bearer import bearer
from infra.settings.messages import PROJECT
from infra.settings.secrets import SECRETS
from ops.errors import ForbiddenError, OpsError

CONNECT_SECONDS, READ_SECONDS = 5, 10
TOKEN = "grafanaToken"  # noqa: S105  # the name of a setting
MESSAGE = "make dashboards"
"""The message of the versions that this command stores. Those that a person stores have another one."""
VERSION_MISMATCH = "version-mismatch"
"""The status in the response when the stored version of a dashboard is another one."""
MAX_FOLDERS = 1000
"""The folders of one response, at most."""

Json = Mapping[str, JsonValue]
Content = TypeVar("Content")


class Response(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class Folder(Response):
    uid: str
    title: str


class Meta(Response):
    """`version` increases with each change, and `folder_uid` is empty for a dashboard outside of all folders."""

    version: int
    folder_uid: str = ""


class Stored(Response):
    """A dashboard in Grafana."""

    dashboard: dict[str, JsonValue]
    meta: Meta


class Version(Response):
    """Who stored a version of a dashboard, and with which message."""

    version: int
    created_by: str = ""
    message: str = ""


class Versions(Response):
    versions: list[Version]

    @model_validator(mode="before")
    @classmethod
    def _list_of_older_grafana(cls, value: object) -> object:
        """Older versions of Grafana return the list itself."""
        return {"versions": value} if isinstance(value, list) else value


class Grafana:
    """Grafana at `url`, with the token of a service account. Raises an OpsError for each failure."""

    def __init__(self, *, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._session.auth = bearer(token)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def folder(self, title: str) -> Folder | None:
        """The folder with this title. None if there is none."""
        folders = self._get(f"folders?limit={MAX_FOLDERS}", list[Folder]) or []
        return next((folder for folder in folders if folder.title == title), None)

    def create_folder(self, title: str) -> Folder:
        return self._parsed(self._request("POST", "folders", {"title": title}), Folder)

    def dashboard(self, uid: str) -> Stored | None:
        """The dashboard. None if it does not exist."""
        return self._get(f"dashboards/uid/{uid}", Stored)

    def last_version(self, uid: str) -> Version | None:
        """The newest version. None if Grafana does not return any."""
        versions = self._get(f"dashboards/uid/{uid}/versions?limit=1", Versions)
        return versions.versions[0] if versions and versions.versions else None

    def save(self, dashboard: Json, *, folder: str, version: int | None) -> None:
        """Creates the dashboard, or replaces this version of it. Grafana refuses to replace a newer one."""
        content: dict[str, JsonValue] = {
            **dashboard,
            "id": None,
            **({"version": version} if version is not None else {}),
        }
        body: Json = {"dashboard": content, "folderUid": folder, "message": MESSAGE, "overwrite": False}
        response = self._request("POST", "dashboards/db", body, accepted=(HTTPStatus.PRECONDITION_FAILED,))
        if response.status_code == HTTPStatus.OK:
            return
        error = _error(response)
        if error.status == VERSION_MISMATCH:
            raise OpsError(
                f"{dashboard['title']}: somebody changed this dashboard in Grafana meanwhile, and it was not "
                "overwritten: run make dashboards again"
            )
        # For example, the folder contains another dashboard with this title.
        raise OpsError(f"{dashboard['title']}: Grafana does not store this dashboard{_text(error)}")

    def annotate(self, text: str, *, start: datetime, end: datetime, tags: Sequence[str]) -> None:
        """Creates an annotation of a time range, which dashboards find by its tags."""
        body: Json = {"time": _milliseconds(start), "timeEnd": _milliseconds(end), "tags": [*tags], "text": text}
        self._request("POST", "annotations", body)

    def _get(self, path: str, model: type[Content]) -> Content | None:
        response = self._request("GET", path, accepted=(HTTPStatus.NOT_FOUND,))
        return None if response.status_code == HTTPStatus.NOT_FOUND else self._parsed(response, model)

    def _parsed(self, response: requests.Response, model: type[Content]) -> Content:
        try:
            return TypeAdapter(model).validate_json(response.content)
        except ValidationError:
            raise OpsError(
                f"{self._url} did not return what Grafana's API returns: its base URL was expected in "
                f"{PROJECT}:grafana.url"
            ) from None

    def _request(
        self, method: str, path: str, body: Json | None = None, *, accepted: tuple[int, ...] = ()
    ) -> requests.Response:
        try:
            response = self._session.request(
                method,
                f"{self._url}/api/{path}",
                json=body,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                # To its login page, or to another host.
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise OpsError(f"{self._url} cannot be reached ({type(error).__name__}); try again") from None
        match response.status_code:
            case HTTPStatus.UNAUTHORIZED:
                raise OpsError(f"{self._url} rejects {PROJECT}:{TOKEN}: {SECRETS[TOKEN].command}")
            case HTTPStatus.FORBIDDEN:
                raise ForbiddenError(
                    f"{self._url} refuses {method} /api/{path.partition('?')[0]} with {PROJECT}:{TOKEN}: give its "
                    "service account the role Editor"
                )
            case HTTPStatus.OK:
                return response
            case status if status in accepted:
                return response
            case status:
                raise OpsError(
                    f"{self._url} returned {status} for {method} /api/{path.partition('?')[0]}"
                    f"{_text(_error(response))}; check {PROJECT}:grafana.url"
                )


def _milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)


class _Error(BaseModel):
    message: str = ""
    status: str = ""


def _error(response: requests.Response) -> _Error:
    """The error in a response. Empty if the response has another format."""
    try:
        return _Error.model_validate_json(response.content)
    except ValidationError:
        return _Error()


def _text(error: _Error) -> str:
    """Grafana's own message, if there is one."""
    return f": {' '.join(error.message.split())}" if error.message else ""
