"""The alert rules (docs/monitoring.md). This package does not load an SDK, because ops/ reads the rules too."""

from collections.abc import Sequence

from infra.monitoring.rules import backups, control_plane, logs, monitoring, nodes, pods, redis, traffic
from infra.monitoring.rules.model import Rule, rules_file
from infra.settings.monitoring import MonitoringSettings
from infra.settings.schema import Settings

__all__ = ["Rule", "alert_rules", "jobs_of", "rules_file", "scrape_jobs"]


def scrape_jobs(settings: Settings) -> Sequence[str]:
    """The scrape jobs of this stack, by the label `job`."""
    if settings.monitoring is None:
        return []
    jobs = jobs_of(settings.monitoring, with_etcd=settings.cluster.etcd_expose_metrics)
    return [*jobs, "vlagent"] if settings.logs else jobs


def jobs_of(parts: MonitoringSettings, *, with_etcd: bool) -> Sequence[str]:
    """The scrape jobs of monitoring itself. `with_etcd` means that the servers expose the metrics of etcd."""
    optional = {
        "api": parts.api is not None,
        "etcd": with_etcd,
        "kube-state-metrics": parts.kube_state_metrics,
        "node-exporter": parts.node_exporter,
        "redis-exporter": parts.redis_exporter,
        "vmalert": parts.alerts is not None,
        "alertmanager": parts.alerts is not None,
    }
    always = ["traefik", "kubelet", "cadvisor", "apiserver", "coredns", "vmagent"]
    return [*always, *(job for job, enabled in optional.items() if enabled)]


def alert_rules(settings: Settings, *, origin_certificate_expiry: int | None = None) -> Sequence[Rule]:
    """The rules whose scrape jobs are on. Empty without alerts.

    `origin_certificate_expiry` is in seconds since 1970. Without it, no rule is about this certificate.
    """
    if settings.monitoring is None or settings.monitoring.alerts is None:
        return []
    jobs = scrape_jobs(settings)
    expiry, days = origin_certificate_expiry, settings.edge.origin_certificate_days
    rules = [
        *nodes.node_rules(with_conditions="kube-state-metrics" in jobs),
        *pods.container_rules(),
        *pods.workload_rules(),
        pods.api_cpu_rule(settings.scale.api.cpu_percent),
        traffic.api_latency_rule(),
        traffic.error_rule(),
        *traffic.no_traffic_rules(),
        *([traffic.database_rule(settings.monitoring.api)] if settings.monitoring.api else []),
        *redis.redis_rules(),
        *control_plane.etcd_rules(),
        control_plane.snapshot_rule(in_bucket=settings.snapshots is not None),
        *backups.backup_rules(settings.backups),
        control_plane.dns_rule(),
        *([] if expiry is None else [control_plane.origin_certificate_rule(expiry, lifetime_days=days)]),
        control_plane.client_certificate_rule(),
        *monitoring.scrape_rules(jobs),
        *monitoring.remote_write_rules(),
        *monitoring.sending_rules(),
        *logs.log_rules(),
        monitoring.watchdog_rule(),
    ]
    return [rule for rule in rules if set(rule.exporters) <= set(jobs)]
