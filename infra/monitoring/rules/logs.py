"""Alerts about logs that do not arrive."""

from collections.abc import Sequence

from infra.monitoring.rules.model import Rule

RUNBOOK = "Logs are missing"


def log_rules() -> Sequence[Rule]:
    """That a node sends no logs is no failure: no container may have written a line. That it tries in vain is one."""
    return [
        Rule(
            name="LogsNotSent",
            expr=(
                "sum(increase_prometheus(vlagent_remotewrite_retries_count_total[10m])) by (node) > 0 unless "
                'sum(increase_prometheus(vlagent_remotewrite_requests_total{status_code="2XX"}[10m])) by (node) > 0'
            ),
            for_="10m",
            keep_firing_for="5m",
            severity="warning",
            exporter="vlagent",
            series=("vlagent_remotewrite_retries_count_total", "vlagent_remotewrite_requests_total"),
            summary="{{ $labels.node }} cannot send its logs to obs. It keeps them in its buffer.",
            runbook=RUNBOOK,
        ),
        Rule(
            name="LogsDropped",
            expr=(
                'max(increase_prometheus(vm_persistentqueue_bytes_dropped_total{job="vlagent"}[15m])) by (node) > 0 '
                "or max(increase_prometheus(vlagent_remotewrite_packets_dropped_total[15m])) by (node) > 0"
            ),
            for_="1m",
            keep_firing_for="30m",
            severity="warning",
            exporter="vlagent",
            series=("vm_persistentqueue_bytes_dropped_total", "vlagent_remotewrite_packets_dropped_total"),
            summary="vlagent on {{ $labels.node }} drops logs: its buffer on the disk is full, or obs refuses them.",
            runbook=RUNBOOK,
        ),
    ]
