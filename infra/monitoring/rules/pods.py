"""Alerts about pods, Jobs and autoscalers, from kube-state-metrics."""

from collections.abc import Sequence

from infra.monitoring.rules.model import Rule
from infra.names import MIGRATION, NAMESPACE

RESTARTS = 3
"""Restarts within fifteen minutes. A container that fails at once restarts five times in that time."""
AUTOSCALER_TOLERANCE = 1.1
"""Kubernetes' autoscaler does nothing while the utilization is within 10 % of its target."""
EXPORTER = "kube-state-metrics"
CONTAINER = "namespace, pod, container"
MISSING_PODS = {
    "Deployment": (
        "max(kube_deployment_spec_replicas - kube_deployment_status_replicas_available) by (namespace, deployment)"
    ),
    "StatefulSet": (
        "max(kube_statefulset_replicas - kube_statefulset_status_replicas_ready) by (namespace, statefulset)"
    ),
    "DaemonSet": "max(kube_daemonset_status_number_unavailable) by (namespace, daemonset)",
}
"""How many pods of each controller are not ready, by kind."""
RESTART_WINDOW = "15m"


def new_restarts(window: str) -> str:
    """Restarts of each container within a window.

    Not `increase`: it counts the first value of a new series as an increase, and all series of kube-state-metrics are
    new when its pod moves.
    """
    return f"max(increase_prometheus(kube_pod_container_status_restarts_total[{window}])) by ({CONTAINER})"


def container_rules() -> Sequence[Rule]:
    return [
        Rule(
            name="ContainerRestarts",
            expr=f"{new_restarts(RESTART_WINDOW)} >= {RESTARTS}",
            for_="1m",
            keep_firing_for="15m",
            severity="warning",
            exporter=EXPORTER,
            series=("kube_pod_container_status_restarts_total",),
            summary=(
                "{{ $labels.container }} in {{ $labels.namespace }}/{{ $labels.pod }} restarted {{ $value }} times "
                "within fifteen minutes."
            ),
            runbook="A container restarts again and again",
        ),
        Rule(
            name="ContainerOutOfMemory",
            expr=(
                f"{new_restarts(RESTART_WINDOW)} > 0 and on ({CONTAINER}) "
                'max(kube_pod_container_status_last_terminated_reason{reason="OOMKilled"}) '
                f"by ({CONTAINER}) == 1"
            ),
            for_="1m",
            keep_firing_for="15m",
            severity="warning",
            exporter=EXPORTER,
            series=("kube_pod_container_status_restarts_total",),
            events=("kube_pod_container_status_last_terminated_reason",),
            summary=(
                "The kernel killed {{ $labels.container }} in {{ $labels.namespace }}/{{ $labels.pod }}, which used "
                "more memory than its limit."
            ),
            runbook="A container restarts again and again",
        ),
        Rule(
            name="ImageNotPulled",
            expr=(
                'max(kube_pod_container_status_waiting_reason{reason=~"ImagePullBackOff|ErrImagePull"}) '
                f"by ({CONTAINER}) == 1"
            ),
            for_="10m",
            keep_firing_for="5m",
            severity="warning",
            exporter=EXPORTER,
            series=(),
            events=("kube_pod_container_status_waiting_reason",),
            summary=(
                "The image of {{ $labels.container }} in {{ $labels.namespace }}/{{ $labels.pod }} cannot be pulled."
            ),
            runbook="Move to another registry",
        ),
    ]


def workload_rules() -> Sequence[Rule]:
    return [
        Rule(
            name="PodsNotReady",
            expr=" or ".join(f'label_set({pods} > 0, "kind", "{kind}")' for kind, pods in MISSING_PODS.items()),
            for_="15m",
            severity="warning",
            exporter=EXPORTER,
            series=(
                "kube_deployment_spec_replicas",
                "kube_deployment_status_replicas_available",
                "kube_statefulset_replicas",
                "kube_statefulset_status_replicas_ready",
                "kube_daemonset_status_number_unavailable",
            ),
            summary=(
                "{{ $value }} pods of the {{ $labels.kind }} {{ $labels.namespace }}/{{ $labels.deployment }}"
                "{{ $labels.statefulset }}{{ $labels.daemonset }} have not been ready for fifteen minutes."
            ),
            runbook="Pods are not ready",
            follows="cluster",
        ),
        Rule(
            name="MigrationFailed",
            # Not kube_job_status_failed, which counts pods: it is 0 if no pod could be created.
            expr=(
                f'max(kube_job_failed{{namespace="{NAMESPACE}",job_name="{MIGRATION}",condition="true"}}) '
                "by (namespace, job_name) == 1"
            ),
            for_="1m",
            severity="warning",
            exporter=EXPORTER,
            series=(),
            events=("kube_job_failed",),
            summary=(
                "The Job {{ $labels.namespace }}/{{ $labels.job_name }} failed. No pod of the new release was started."
            ),
            runbook="Recover from a failed migration",
        ),
        Rule(
            name="AutoscalerAtMaximum",
            expr=(
                "max(kube_horizontalpodautoscaler_status_current_replicas) by (namespace, horizontalpodautoscaler) "
                ">= on (namespace, horizontalpodautoscaler) "
                "(max(kube_horizontalpodautoscaler_spec_max_replicas) by (namespace, horizontalpodautoscaler) "
                # One that may not scale is always at its maximum.
                "> on (namespace, horizontalpodautoscaler) "
                "max(kube_horizontalpodautoscaler_spec_min_replicas) by (namespace, horizontalpodautoscaler))"
            ),
            for_="15m",
            keep_firing_for="15m",
            severity="warning",
            exporter=EXPORTER,
            series=(
                "kube_horizontalpodautoscaler_status_current_replicas",
                "kube_horizontalpodautoscaler_spec_max_replicas",
                "kube_horizontalpodautoscaler_spec_min_replicas",
            ),
            summary=(
                "{{ $labels.horizontalpodautoscaler }} has run {{ $value }} pods, the most that are allowed, for "
                "fifteen minutes."
            ),
            runbook="api needs more pods",
        ),
    ]


API_CPU_RATIO = (
    f'sum(rate(container_cpu_usage_seconds_total{{namespace="{NAMESPACE}",container="api"}}[5m])) / sum(max('
    f'kube_pod_container_resource_requests{{namespace="{NAMESPACE}",container="api",resource="cpu"}}'
    ") by (namespace, pod))"
)
"""The CPU that all pods of api use, as a share of what they request."""


def api_cpu_limit(target_percent: int) -> float:
    """Above the tolerance of the autoscaler, so that the alert only fires when no pods are added any more."""
    return round(target_percent * AUTOSCALER_TOLERANCE / 100, 3)


def api_cpu_rule(target_percent: int) -> Rule:
    return Rule(
        name="ApiCpuHigh",
        expr=f"{API_CPU_RATIO} > {api_cpu_limit(target_percent)}",
        for_="30m",
        keep_firing_for="15m",
        severity="warning",
        exporter="cadvisor",
        also=(EXPORTER,),
        series=("container_cpu_usage_seconds_total", "kube_pod_container_resource_requests"),
        summary=(
            "The pods of api have used {{ $value | humanizePercentage }} of their CPU for half an hour; the autoscaler "
            f"aims at {target_percent} %."
        ),
        runbook="api needs more pods",
    )
