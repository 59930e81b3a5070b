"""The queries to VictoriaMetrics. They only read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import requests
from pydantic import BaseModel, ValidationError

from infra.settings.messages import PROJECT
from infra.settings.secrets import SECRETS
from ops.errors import OpsError

CONNECT_SECONDS, READ_SECONDS = 5, 20
PASSWORD = "metricsPassword"  # noqa: S105  # the name of a setting
REJECTED = (401, 403)

Labels = Mapping[str, str]


class Series(BaseModel):
    """One series of a response, without its value."""

    metric: dict[str, str]


class Data(BaseModel):
    """The data of a response."""

    result: list[Series]


class Response(BaseModel):
    """A response of the query API of Prometheus, which VictoriaMetrics implements."""

    status: Literal["success"]
    data: Data


class Obs:
    """VictoriaMetrics at `url`. Every query is restricted to the series of one cluster."""

    def __init__(self, *, url: str, username: str, password: str, cluster: str) -> None:
        self._url = url
        self._credentials = (username, password)
        self._cluster = cluster

    def query(self, expression: str) -> Sequence[Labels]:
        """The labels of the series that an instant query returns. Raises an OpsError without the password."""
        try:
            response = requests.get(
                f"{self._url}/api/v1/query",
                # The label in addition to the expression: obs may have the metrics of other clusters.
                params={"query": expression, "extra_label": f"cluster={self._cluster}"},
                auth=self._credentials,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise OpsError(f"{self._url} cannot be reached ({type(error).__name__}); try again") from None
        if response.status_code in REJECTED:
            raise OpsError(
                f"{self._url} rejects the user of {PROJECT}:monitoring.username, or refuses it queries "
                f"({response.status_code}): {SECRETS[PASSWORD].command}"
            )
        if response.status_code != requests.codes.ok:
            raise OpsError(f"{self._url} returned {response.status_code} for a query; try again")
        try:
            content = Response.model_validate_json(response.content)
        except ValidationError:
            raise OpsError(
                f"{self._url} did not return the result of a query: the base URL of VictoriaMetrics was expected in "
                f"{PROJECT}:monitoring.url"
            ) from None
        return [series.metric for series in content.data.result]

    def existing(self, names: Iterable[str], *, within: str) -> frozenset[str]:
        """The metrics among these of which a sample arrived within a time such as "1d"."""
        pattern = "|".join(sorted(names))
        if not pattern:
            return frozenset()
        selector = f'last_over_time({{__name__=~"{pattern}"}}[{within}])'
        return frozenset(labels["__name__"] for labels in self.query(f"count({selector}) by (__name__)"))
