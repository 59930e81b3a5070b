"""Alerts about nodes: lost ones, disks and memory."""

from collections.abc import Sequence

from infra.monitoring.rules.model import NODE_DOWN, NODE_IN_MAINTENANCE, Rule

DISK_USED = 0.8
"""Kubelets delete images when 85 % are in use, and evict pods when 90 % are."""
MEMORY_AVAILABLE = 0.1
DISK_RATIO = (
    'max(1 - node_filesystem_avail_bytes{mountpoint="/"} / node_filesystem_size_bytes{mountpoint="/"}) by (node)'
)
"""The share of the disk that is in use."""
MEMORY_RATIO = "max(node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes) by (node)"
"""The share of the memory that is available."""
LOOKBACK = "1m"
"""A node is down when no metrics of this time are there. Scrapes are half as far apart."""
FAST_SECONDS = 15
MAINTENANCE = "30m"
"""Longer than a reboot by kured, which drains a node for at most fifteen minutes."""


def _down(*, with_conditions: bool) -> str:
    """Metrics of the node arrived within the last hour, and stopped, while those of another node arrive.

    After an outage of obs, all nodes send what they buffered, and none is down. The metrics also stop when vmagent
    restarts and when a node is removed, so with recent conditions only a node that Kubernetes reports as not ready is
    down. It does so until the object of the node is deleted, however long the node is down. Without recent conditions,
    kube-state-metrics may have been on the dead node.
    """
    recent = f'last_over_time(up{{job="vmagent"}}[{LOOKBACK}])'
    silent = f'count(last_over_time(up{{job="vmagent"}}[1h])) by (node) unless on (node) count({recent}) by (node)'
    if with_conditions:
        condition = 'kube_node_status_condition{condition="Ready",status="true"}'
        state = f"max(last_over_time({condition}[{LOOKBACK}])) by (node)"
        silent = f"(({silent}) unless on () count({state})) or on (node) ({state} == 0)"
    return f"({silent}) and on () (count({recent}) > 0)"


def node_rules(*, with_conditions: bool) -> Sequence[Rule]:
    """The rules of nodes. `with_conditions` means that kube-state-metrics is scraped."""
    return [
        Rule(
            name=NODE_DOWN,
            expr=_down(with_conditions=with_conditions),
            for_="15s",
            # Long enough for the alerts that follow from it to resolve first: their mails would come afterwards.
            keep_firing_for="5m",
            severity="critical",
            exporter="vmagent",
            also=("kube-state-metrics",) if with_conditions else (),
            series=("up", *(("kube_node_status_condition",) if with_conditions else ())),
            summary="The node {{ $labels.node }} is down.",
            runbook="A node is down",
            interval_seconds=FAST_SECONDS,
        ),
        Rule(
            # Inhibits what a planned reboot causes. A node that stays cordoned, or crashes without it, is not spared.
            name=NODE_IN_MAINTENANCE,
            expr=(
                f"max(last_over_time(kube_node_spec_unschedulable[{LOOKBACK}])) by (node) == 1 unless on (node) "
                f"min(min_over_time(kube_node_spec_unschedulable[{MAINTENANCE}])) by (node) == 1"
            ),
            for_="0s",
            # For the pods that wait for the node, and while kube-state-metrics moves.
            keep_firing_for="5m",
            severity="none",
            exporter="kube-state-metrics",
            series=("kube_node_spec_unschedulable",),
            summary="The node {{ $labels.node }} was cordoned within the last half hour.",
            runbook="A node is down",
            interval_seconds=FAST_SECONDS,
        ),
        Rule(
            name="NodeSendsNoMetrics",
            expr=(
                'max(kube_node_status_condition{condition="Ready",status="true"} == 1) by (node) '
                'unless on (node) count(last_over_time(up{job="vmagent"}[5m])) by (node)'
            ),
            for_="15m",
            severity="warning",
            exporter="kube-state-metrics",
            also=("vmagent",),
            series=("kube_node_status_condition", "up"),
            summary="The node {{ $labels.node }} is ready, but sends no metrics, so no alert about its disk can fire.",
            runbook="Metrics are missing",
        ),
        Rule(
            name="NodeUnderPressure",
            expr=(
                'max(kube_node_status_condition{condition=~"DiskPressure|MemoryPressure|PIDPressure",status="true"}) '
                "by (node, condition) == 1"
            ),
            for_="2m",
            keep_firing_for="10m",
            severity="critical",
            exporter="kube-state-metrics",
            series=("kube_node_status_condition",),
            summary="The node {{ $labels.node }} has {{ $labels.condition }}: Kubernetes evicts pods from it.",
            runbook="A node has too little memory or disk",
        ),
        Rule(
            name="NodeDiskFull",
            expr=f"{DISK_RATIO} > {DISK_USED}",
            for_="15m",
            keep_firing_for="15m",
            severity="warning",
            exporter="node-exporter",
            series=("node_filesystem_avail_bytes", "node_filesystem_size_bytes"),
            summary="The disk of {{ $labels.node }} is {{ $value | humanizePercentage }} full.",
            runbook="A node has too little memory or disk",
        ),
        Rule(
            name="NodeMemoryLow",
            expr=f"{MEMORY_RATIO} < {MEMORY_AVAILABLE}",
            for_="10m",
            keep_firing_for="10m",
            severity="warning",
            exporter="node-exporter",
            series=("node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes"),
            summary="Only {{ $value | humanizePercentage }} of the memory of {{ $labels.node }} is available.",
            runbook="A node has too little memory or disk",
        ),
    ]
