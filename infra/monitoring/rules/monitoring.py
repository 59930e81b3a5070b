"""Alerts about the monitoring itself: what is not measured, not written or not sent."""

from collections.abc import Sequence

from infra.monitoring.rules.model import Rule

NODE_JOBS = ("kubelet", "cadvisor", "traefik", "node-exporter", "vlagent")
"""Scraped on every node. A node that runs vmagent must have each."""
CLUSTER_JOBS = ("kube-state-metrics", "redis-exporter", "api", "coredns", "vmalert", "alertmanager", "apiserver")
"""Scraped somewhere in the cluster. `etcd` is missing: a server only has its metrics if it was created with
`etcd-expose-metrics`, which may be true for none of them."""
WATCHDOG = "Watchdog"
ERRORS = "3m"
"""The window in which an error of vmalert counts. It is shorter than the `for` of the rules, so that a single error, as
during the start of a pod, sends no mail: vmalert tries again every minute."""


def scrape_rules(jobs: Sequence[str]) -> Sequence[Rule]:
    """`jobs` are those that this stack scrapes. A rule whose series vanished never fires: these fire instead."""
    missing = [
        *(f'absent(up{{job="{job}"}})' for job in CLUSTER_JOBS if job in jobs),
        *(
            f'label_set(count(up{{job="vmagent"}}) by (node) unless on (node) count(up{{job="{job}"}}) by (node), '
            f'"job", "{job}")'
            for job in NODE_JOBS
            if job in jobs
        ),
    ]
    return [
        Rule(
            name="NoMetrics",
            expr='absent(last_over_time(up{job="vmagent"}[3m]))',
            for_="2m",
            severity="critical",
            exporter="vmagent",
            series=("up",),
            summary="No node sends metrics. Alerts that need metrics of nodes cannot fire.",
            runbook="Metrics are missing",
        ),
        Rule(
            name="TargetDown",
            expr='max(up{job!="traefik"}) by (job, node) == 0',
            for_="10m",
            keep_firing_for="5m",
            severity="warning",
            exporter="vmagent",
            series=("up",),
            summary="{{ $labels.job }} on {{ $labels.node }} has not responded to vmagent for ten minutes.",
            runbook="Metrics are missing",
            follows="node",
        ),
        Rule(
            name="TraefikDown",
            expr='max(up{job="traefik"}) by (node) == 0',
            for_="3m",
            keep_firing_for="5m",
            severity="critical",
            exporter="traefik",
            series=("up",),
            summary="Traefik on {{ $labels.node }} does not respond: Cloudflare sends a share of the requests there.",
            runbook="Requests fail",
            follows="node",
        ),
        Rule(
            name="ExporterMissing",
            expr=" or ".join(missing),
            for_="15m",
            severity="warning",
            exporter="vmagent",
            series=("up",),
            summary=(
                "{{ $labels.job }} is not measured{{ if $labels.node }} on {{ $labels.node }}{{ end }}: its rules "
                "cannot fire."
            ),
            runbook="Metrics are missing",
            follows="cluster",
        ),
    ]


def remote_write_rules() -> Sequence[Rule]:
    return [
        Rule(
            name="MetricsDropped",
            expr=(
                'max(increase_prometheus(vm_persistentqueue_bytes_dropped_total{job="vmagent"}[15m])) by (node) > 0 '
                "or max(increase_prometheus(vmagent_remotewrite_packets_dropped_total[15m])) by (node) > 0"
            ),
            for_="1m",
            keep_firing_for="30m",
            severity="warning",
            exporter="vmagent",
            series=("vm_persistentqueue_bytes_dropped_total", "vmagent_remotewrite_packets_dropped_total"),
            summary="vmagent on {{ $labels.node }} drops metrics: its buffer on the disk is full, or obs refuses them.",
            runbook="Metrics are missing",
        ),
        Rule(
            name="TooManySeries",
            expr=(
                "max(increase_prometheus(vmagent_hourly_series_limit_rows_dropped_total[15m])) by (node) > 0 "
                "or max(sum_over_time(scrape_series_limit_samples_dropped[15m])) by (node) > 0"
            ),
            for_="1m",
            keep_firing_for="1h",
            severity="warning",
            exporter="vmagent",
            series=("vmagent_hourly_series_limit_rows_dropped_total", "scrape_series_limit_samples_dropped"),
            summary=(
                "{{ $labels.node }} has more series than vmagent accepts from it or from one of its targets. It drops "
                "new ones: a label may have too many values."
            ),
            runbook="There are too many series",
        ),
    ]


def sending_rules() -> Sequence[Rule]:
    return [
        Rule(
            name="RulesNotEvaluated",
            expr=(
                # The alert has a label `alertname` of its own.
                f"label_move(max(increase_prometheus(vmalert_alerting_rules_errors_total[{ERRORS}])) by (alertname), "
                '"alertname", "rule") > 0'
            ),
            for_="5m",
            keep_firing_for="10m",
            severity="warning",
            exporter="vmalert",
            series=("vmalert_alerting_rules_errors_total",),
            summary="vmalert cannot evaluate the rule {{ $labels.rule }}.",
            runbook="Alerts are not sent",
        ),
        Rule(
            name="AlertsNotSent",
            expr=f"sum(increase_prometheus(vmalert_alerts_send_errors_total[{ERRORS}])) by (addr) > 0",
            for_="5m",
            keep_firing_for="5m",
            severity="warning",
            exporter="vmalert",
            series=("vmalert_alerts_send_errors_total",),
            summary="vmalert cannot send alerts to {{ $labels.addr }}.",
            runbook="Alerts are not sent",
            follows="cluster",
        ),
        Rule(
            name="NotificationsFail",
            # The next successful mail contains this alert; until then, only the other receivers do. Alertmanager sends
            # again after at most five minutes. The `for` is longer than the window, so that a single failure, as of one
            # request of the heartbeat, sends no mail.
            expr="sum(increase_prometheus(alertmanager_notifications_failed_total[10m])) by (integration) > 0",
            for_="12m",
            keep_firing_for="10m",
            severity="critical",
            exporter="alertmanager",
            series=("alertmanager_notifications_failed_total",),
            summary="Alertmanager cannot send notifications by {{ $labels.integration }}.",
            runbook="Alerts are not sent",
        ),
        Rule(
            name="AlertmanagerAlone",
            expr="min(alertmanager_cluster_members) < 2",
            for_="15m",
            severity="warning",
            exporter="alertmanager",
            series=("alertmanager_cluster_members",),
            summary="The two Alertmanagers have no connection to each other: each mail may arrive twice.",
            runbook="Alerts are not sent",
            follows="cluster",
        ),
    ]


def watchdog_rule() -> Rule:
    """Without a heartbeat URL as well: `make status` shows that alerting does not run if this alert does not fire."""
    return Rule(
        name=WATCHDOG,
        expr="vector(1)",
        for_="0s",
        severity="none",
        exporter="vmalert",
        series=(),
        summary="Alerting works. This alert always fires. It requests the heartbeat URL, if there is one.",
        runbook="The heartbeat stopped",
    )
