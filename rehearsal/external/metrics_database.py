"""VictoriaMetrics at the URL in the settings, as the server outside of the cluster that stores its metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import urlsplit

import requests

from dashboards import Dashboard, vmui
from infra.settings.monitoring import MonitoringSettings
from rehearsal import pki
from rehearsal.errors import RehearsalError
from rehearsal.external.server import TIMEOUT_SECONDS, ExternalServer
from rehearsal.external_authority import external_authority
from tools.cache import executable

MEMORY = "256MiB"
"""The memory for caches. The default is 60 % of the machine's memory, which the nodes of a world share."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One series of a query's result. `labels` contains the metric's name as `__name__`, if the query keeps it."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, kw_only=True)
class MetricsDatabase(ExternalServer):
    """VictoriaMetrics behind TLS and basic authentication."""

    name: ClassVar[str] = "victoria-metrics"
    settings: MonitoringSettings
    password: str = field(repr=False)
    dashboards: Sequence[Dashboard] = ()
    """What vmui shows, the web page of VictoriaMetrics."""

    @property
    def host(self) -> str:
        return urlsplit(self.settings.url).hostname or ""

    @property
    def port(self) -> int:
        return self.settings.port

    @property
    def rule(self) -> str:
        return f"PathPrefix(`{urlsplit(self.settings.url).path}/`)"

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

    def command(self, certificate: pki.KeyPair) -> list[str]:
        password = self.folder / "password"
        pki.write_private(password, self.password.encode())
        vmui.write(self.dashboards, self.folder / "dashboards")
        return [
            str(executable("victoriametrics", "victoria-metrics")),
            f"-httpListenAddr={self.address}:{self.settings.port}",
            "-tls",
            f"-tlsCertFile={certificate.certificate}",
            f"-tlsKeyFile={certificate.key}",
            f"-httpAuth.username={self.settings.username}",
            f"-httpAuth.password=file://{password}",
            f"-http.pathPrefix={urlsplit(self.settings.url).path.rstrip('/')}",
            f"-storageDataPath={self.folder / 'data'}",
            f"-memory.allowedBytes={MEMORY}",
            f"-vmui.customDashboardsPath={self.folder / 'dashboards'}",
        ]

    def probe(self) -> None:
        self.send("GET", "/health", {}).raise_for_status()

    def send(
        self, method: str, path: str, parameters: Mapping[str, str] | bytes, body: bytes = b"", content_type: str = ""
    ) -> requests.Response:
        """Sends a request as the user of the settings. Raises a RequestException."""
        prefix = urlsplit(self.settings.url).path.rstrip("/")
        with requests.Session() as session:
            # No proxy, and no credentials of ~/.netrc.
            session.trust_env = False
            return session.request(
                method,
                # By address, which the certificate contains too: outside of the cluster, the name leads to production.
                f"https://{self.address}:{self.settings.port}{prefix}{path}",
                params=parameters if isinstance(parameters, bytes) else dict(parameters),
                data=body,
                headers={"Content-Type": content_type} if content_type else {},
                auth=(self.settings.username, self.password),
                verify=str(external_authority().files.certificate),
                timeout=TIMEOUT_SECONDS,
            )
