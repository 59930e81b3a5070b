"""Settings of metrics and alerts (infra/monitoring/). docs/monitoring.md describes them for operators."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from infra.settings.model import Model
from infra.settings.types import Count, Email, HttpsUrl, Image, MetricName, Number, Port, Text, UrlPath

HTTPS_PORT = 443
BUFFER_FILE_MI = 513
"""The size of the files in vmagent's buffer, and the smallest limit that it accepts (lib/persistentqueue and
app/vmagent/remotewrite in the VictoriaMetrics repository). It rounds a smaller limit up."""
BUFFER_MARGIN_MI = 62
"""For its other files. A kubelet evicts a pod whose volume is larger than its limit."""
SMALLEST_BUFFER_MI = 2 * BUFFER_FILE_MI + BUFFER_MARGIN_MI


def _disabled(value: object) -> object:
    return None if value is False else value


Disabled = BeforeValidator(_disabled)
"""Reads `false` as a part that is switched off."""


class MonitoringImages(Model):
    """The images of monitoring, none of them ours. Each may have a digest: `IMAGE:TAG@sha256:…`."""

    vmagent: Image = "docker.io/victoriametrics/vmagent:v1.151.0"
    vmalert: Image = "docker.io/victoriametrics/vmalert:v1.151.0"
    alertmanager: Image = "quay.io/prometheus/alertmanager:v0.31.1"
    node_exporter: Image = "quay.io/prometheus/node-exporter:v1.12.1"
    kube_state_metrics: Image = "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.17.0"
    redis_exporter: Image = "docker.io/oliver006/redis_exporter:v1.80.0"


class ApiMetrics(Model):
    """The metrics of api. The deployment book names neither the path nor the metrics: check them.

    `open_connections` is the gauge of the open connections of one pod to the database, and `max_connections` the number
    that the database allows.
    """

    port: Port = 8000
    path: UrlPath = "/metrics"
    open_connections: MetricName = "go_sql_open_connections"
    max_connections: Count = 100


class AlertSettings(Model):
    """vmalert and Alertmanager. Mail goes to `recipient`, by default `honeydue:adminEmail`, through the mail server of
    the apps.

    `webhook` and `heartbeat` each need a secret with their URL, `alertWebhookUrl` and `heartbeatUrl`. `runbook_url` is
    the address of docs/runbook.md, so that the links of mails can be opened.
    """

    recipient: Email | None = None
    webhook: bool = False
    heartbeat: bool = False
    runbook_url: HttpsUrl | None = None


class MonitoringSettings(Model):
    """Metrics in VictoriaMetrics at `url`, written as `username`, and alerts. `false` switches a part off.

    `buffer_mi` is the disk space in MiB that one node uses at most for metrics while `url` is not reachable.
    `max_series` is the number of series that one node may create in an hour.
    """

    url: HttpsUrl
    username: Text
    buffer_mi: Annotated[Number, Field(ge=SMALLEST_BUFFER_MI)] = 1152
    max_series: Count = 50_000
    node_exporter: bool = True
    kube_state_metrics: bool = True
    redis_exporter: bool = True
    api: Annotated[ApiMetrics | None, Disabled] = ApiMetrics()
    alerts: Annotated[AlertSettings | None, Disabled] = AlertSettings()
    images: MonitoringImages = MonitoringImages()

    @property
    def queue_mi(self) -> int:
        """The data in the buffer, in MiB. vmagent deletes it in files, so that one more file is on the disk."""
        return self.buffer_mi - BUFFER_FILE_MI - BUFFER_MARGIN_MI

    @property
    def port(self) -> int:
        """The TCP port of `url`."""
        return urlsplit(self.url).port or HTTPS_PORT
