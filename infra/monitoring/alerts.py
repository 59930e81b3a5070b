"""The alerts: the rules with the expiry of credentials, vmalert and Alertmanager."""

from collections.abc import Mapping
from datetime import datetime

import pulumi

from infra.cluster import Cluster
from infra.monitoring.alertmanager import Alertmanager
from infra.monitoring.rules import alert_rules, rules_file
from infra.monitoring.rules.model import RUNBOOK
from infra.monitoring.vmalert import Vmalert
from infra.settings.monitoring import AlertSettings, MonitoringSettings
from infra.settings.schema import Settings
from infra.settings.secrets import Secrets


def timestamp(expiry: str) -> int | None:
    """Seconds since 1970 of a time in RFC 3339. None for another format, which is not an error of the operator."""
    try:
        return int(datetime.fromisoformat(expiry).timestamp())
    except ValueError:
        return None


def rules_text(
    settings: Settings, alerts: AlertSettings, *, origin_certificate: pulumi.Output[str]
) -> pulumi.Output[str]:
    """The file with all rules. `origin_certificate` is when that certificate expires, in RFC 3339."""
    return origin_certificate.apply(
        lambda expiry: rules_file(
            alert_rules(settings, origin_certificate_expiry=timestamp(expiry)),
            cluster=settings.domain,
            runbook_url=alerts.runbook_url or RUNBOOK,
        )
    )


def declare_alerts(
    settings: Settings,
    monitoring: MonitoringSettings,
    alerts: AlertSettings,
    secrets: Secrets,
    *,
    origin_certificate: pulumi.Output[str],
    cluster: Cluster,
    namespaces: Mapping[str, pulumi.Output[str]],
    credentials: pulumi.Resource,
) -> None:
    """vmalert and Alertmanager. `origin_certificate` is the expiry of that certificate, in RFC 3339."""
    rules = rules_text(settings, alerts, origin_certificate=origin_certificate)
    Alertmanager(settings, monitoring, alerts, secrets, cluster=cluster, namespaces=namespaces)
    Vmalert(settings, monitoring, rules=rules, cluster=cluster, namespaces=namespaces, credentials=credentials)
