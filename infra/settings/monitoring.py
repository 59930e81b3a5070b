"""Settings of metrics and alerts (infra/monitoring/). docs/monitoring.md describes them for operators."""

from typing import Annotated

from pydantic import BeforeValidator

from infra.settings.model import Model
from infra.settings.remote_write import RemoteWrite
from infra.settings.types import Count, Email, HttpsUrl, Image, MetricName, Port, UrlPath


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


class MonitoringSettings(RemoteWrite):
    """Metrics in VictoriaMetrics, and alerts. `false` switches a part off.

    `max_series` is the number of series that one node may create in an hour.
    """

    max_series: Count = 50_000
    node_exporter: bool = True
    kube_state_metrics: bool = True
    redis_exporter: bool = True
    api: Annotated[ApiMetrics | None, Disabled] = ApiMetrics()
    alerts: Annotated[AlertSettings | None, Disabled] = AlertSettings()
    images: MonitoringImages = MonitoringImages()
