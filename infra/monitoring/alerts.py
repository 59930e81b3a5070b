"""The alerts: the rules with the expiry of credentials, vmalert and Alertmanager."""

from collections.abc import Mapping
from datetime import datetime

import pulumi

from infra.cluster import Cluster
from infra.kubeconfig import client_certificate_expiry
from infra.monitoring.alertmanager import Alertmanager
from infra.monitoring.rules import Expiries, alert_rules, rules_file
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


def kubeconfig_expiry(kubeconfig: str, context: str) -> int | None:
    """When the client certificate of a context expires, in seconds since 1970.

    None if that cannot be read, for example because the kubeconfig has a token instead: then there is no rule about it,
    and `make status` says so.
    """
    try:
        expires = client_certificate_expiry(kubeconfig, context)
    except ValueError:
        return None
    return int(expires.timestamp()) if expires else None


def rules_text(
    settings: Settings,
    alerts: AlertSettings,
    *,
    origin_certificate: pulumi.Output[str],
    cluster: Cluster,
) -> pulumi.Output[str]:
    """The file with all rules. The date is the only part of the kubeconfig in it, so it is not secret."""

    def render(origin_certificate: str, kubeconfig: int | None) -> str:
        expiries = Expiries(origin_certificate=timestamp(origin_certificate), kubeconfig=kubeconfig)
        return rules_file(
            alert_rules(settings, expiries), cluster=settings.domain, runbook_url=alerts.runbook_url or RUNBOOK
        )

    expiry = pulumi.Output.unsecret(
        cluster.kubeconfig.apply(lambda kubeconfig: kubeconfig_expiry(kubeconfig, cluster.context))
    )
    return pulumi.Output.all(origin_certificate, expiry).apply(lambda values: render(*values))


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
    rules = rules_text(settings, alerts, origin_certificate=origin_certificate, cluster=cluster)
    Alertmanager(settings, monitoring, alerts, secrets, cluster=cluster, namespaces=namespaces)
    Vmalert(settings, monitoring, rules=rules, cluster=cluster, namespaces=namespaces, credentials=credentials)
