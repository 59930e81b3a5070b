"""The alerts: the rules with the expiry of credentials, vmalert and Alertmanager."""

import base64
from collections.abc import Mapping
from datetime import datetime

import pulumi
import yaml

from infra.cluster import Cluster
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


def kubeconfig_expiry(kubeconfig: str) -> int | None:
    """When the client certificate of a kubeconfig expires, in seconds since 1970.

    None if that cannot be read, for example because it has a token instead: then there is no rule about it, and
    `make status` says so.
    """
    # Loading it takes longer than the rest of the package.
    from cryptography import x509  # noqa: PLC0415

    try:
        user = yaml.safe_load(kubeconfig)["users"][0]["user"]
        # The first certificate is that of the client; k3s adds its CA.
        certificate, *_ = x509.load_pem_x509_certificates(base64.b64decode(user["client-certificate-data"]))
    except (yaml.YAMLError, KeyError, IndexError, TypeError, ValueError):
        return None
    return int(certificate.not_valid_after_utc.timestamp())


def rules_text(
    settings: Settings,
    alerts: AlertSettings,
    *,
    origin_certificate: pulumi.Output[str],
    kubeconfig: pulumi.Output[str],
) -> pulumi.Output[str]:
    """The file with all rules. The date is the only part of the kubeconfig in it, so it is not secret."""

    def render(origin_certificate: str, kubeconfig: int | None) -> str:
        expiries = Expiries(origin_certificate=timestamp(origin_certificate), kubeconfig=kubeconfig)
        return rules_file(
            alert_rules(settings, expiries), cluster=settings.domain, runbook_url=alerts.runbook_url or RUNBOOK
        )

    expiry = pulumi.Output.unsecret(kubeconfig.apply(kubeconfig_expiry))
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
    rules = rules_text(settings, alerts, origin_certificate=origin_certificate, kubeconfig=cluster.kubeconfig)
    Alertmanager(settings, monitoring, alerts, secrets, cluster=cluster, namespaces=namespaces)
    Vmalert(settings, monitoring, rules=rules, cluster=cluster, namespaces=namespaces, credentials=credentials)
