"""VictoriaMetrics at the URL in the settings, as the server outside of the cluster that stores its metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import requests

from dashboards import Dashboard, vmui
from rehearsal import pki
from rehearsal.errors import RehearsalError
from rehearsal.external.victoria import VictoriaServer
from tools.cache import executable


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One series of a query's result. `labels` contains the metric's name as `__name__`, if the query keeps it."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, kw_only=True)
class MetricsDatabase(VictoriaServer):
    """VictoriaMetrics behind TLS and basic authentication."""

    name: ClassVar[str] = "victoria-metrics"
    dashboards: Sequence[Dashboard] = ()
    """What vmui shows, the web page of VictoriaMetrics."""

    @property
    def program(self) -> Path:
        return executable("victoriametrics", "victoria-metrics")

    def command(self, certificate: pki.KeyPair) -> list[str]:
        vmui.write(self.dashboards, self.folder / "dashboards")
        return [*super().command(certificate), f"-vmui.customDashboardsPath={self.folder / 'dashboards'}"]

    def query(self, expression: str, *, time: float | None = None) -> Sequence[Sample]:
        """The result of a PromQL expression, by default at the current time. Raises a RehearsalError.

        By default, VictoriaMetrics leaves out the last 30 s, so that all agents can write them first. Here, tests wait
        for a sample.
        """
        parameters = {"query": expression, "latency_offset": "1ms", "nocache": "1"}
        if time is not None:
            parameters["time"] = str(time)
        try:
            response = self.send("GET", "/api/v1/query", parameters)
        except requests.RequestException as error:
            raise RehearsalError(f"the metrics database does not respond: {type(error).__name__}") from error
        if not response.ok:
            raise RehearsalError(f"the metrics database returned an error: {response.text.strip()}")
        return [
            Sample(labels=series["metric"], value=float(series["value"][1]))
            for series in response.json()["data"]["result"]
        ]
