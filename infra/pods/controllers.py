"""The specs of the objects around a pod: its controller, its disruption budget and its Service."""

from pulumi_kubernetes.apps.v1 import (
    DaemonSetSpecArgs,
    DaemonSetUpdateStrategyArgs,
    DeploymentSpecArgs,
    DeploymentStrategyArgs,
    RollingUpdateDaemonSetArgs,
    RollingUpdateDeploymentArgs,
    StatefulSetSpecArgs,
)
from pulumi_kubernetes.core.v1 import PodTemplateSpecArgs, ServicePortArgs, ServiceSpecArgs
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.policy.v1 import PodDisruptionBudgetSpecArgs

from infra.pods.pod import Pod, labels, pod_spec
from infra.settings.adopted import Labels

MAX_SURGE = 1
"""Pods that a rolling update starts before it stops old ones."""
REVISIONS = 5
"""Old revisions that Kubernetes keeps."""
STATEFUL_READY_SECONDS = 30
"""How long a pod of a StatefulSet must be ready before a rolling update stops the next one."""
HTTP = "http"
"""The name of every port of a Service."""


def pod_template(pod: Pod, selector: Labels) -> PodTemplateSpecArgs:
    """The template of the pods of a controller."""
    return PodTemplateSpecArgs(
        metadata=ObjectMetaArgs(
            labels=labels(pod, selector),
            # The checksum. Another name for this annotation would roll all pods.
            annotations={"honeydue/reads": pod.config_checksum} if pod.config_checksum is not None else {},
        ),
        spec=pod_spec(pod, selector),
    )


def strategy(pod: Pod) -> DeploymentStrategyArgs:
    """A rolling update without fewer replicas. A singleton stops before its successor starts."""
    if pod.singleton:
        return DeploymentStrategyArgs(type="Recreate")
    return DeploymentStrategyArgs(
        type="RollingUpdate", rolling_update=RollingUpdateDeploymentArgs(max_surge=MAX_SURGE, max_unavailable=0)
    )


def deployment_spec(pod: Pod, selector: Labels, replicas: int | None) -> DeploymentSpecArgs:
    """The Deployment. With an autoscaler it has no replica count, because every `up` would reset it."""
    return DeploymentSpecArgs(
        replicas=replicas,
        revision_history_limit=REVISIONS,
        # Longer than the slowest start that the startup probes allow, so that a rollout only fails when the probes do.
        progress_deadline_seconds=540,
        selector=LabelSelectorArgs(match_labels=selector),
        strategy=strategy(pod),
        template=pod_template(pod, selector),
    )


def daemon_set_spec(pod: Pod, selector: Labels) -> DaemonSetSpecArgs:
    """The DaemonSet of a pod with `every_node`. One node after the other gets a new pod."""
    return DaemonSetSpecArgs(
        revision_history_limit=REVISIONS,
        selector=LabelSelectorArgs(match_labels=selector),
        update_strategy=DaemonSetUpdateStrategyArgs(
            type="RollingUpdate",
            # On the host network, two pods of one node cannot both listen on the port.
            rolling_update=RollingUpdateDaemonSetArgs(max_unavailable=1, max_surge=0),
        ),
        template=pod_template(pod, selector),
    )


def stateful_set_spec(pod: Pod, selector: Labels, replicas: int) -> StatefulSetSpecArgs:
    """The StatefulSet: pods with stable names below the headless Service of the same name."""
    return StatefulSetSpecArgs(
        replicas=replicas,
        revision_history_limit=REVISIONS,
        service_name=pod.name,
        # A new pod gets the state in memory from another one. Alertmanager connects to the other pod every ten seconds;
        # if both restarted within that time, silences would be lost and mails sent again.
        min_ready_seconds=STATEFUL_READY_SECONDS,
        # A pod on a failed node must not keep the others from starting.
        pod_management_policy="Parallel",
        selector=LabelSelectorArgs(match_labels=selector),
        template=pod_template(pod, selector),
    )


def disruption_budget_spec(selector: Labels, *, several: bool) -> PodDisruptionBudgetSpecArgs:
    """Allows one eviction at a time. A single pod may always be evicted, so that it does not block a drain."""
    return PodDisruptionBudgetSpecArgs(
        selector=LabelSelectorArgs(match_labels=selector),
        max_unavailable=1 if several else None,
        min_available=None if several else 0,
        # Pods that are not ready serve no requests and would block a drain.
        unhealthy_pod_eviction_policy="AlwaysAllow",
    )


def service_spec(pod: Pod, selector: Labels, cluster_ip: str | None) -> ServiceSpecArgs:
    """The Service on the port of the pod. Kubernetes assigns the cluster IP, except for an adopted Service."""
    return ServiceSpecArgs(
        cluster_ip=cluster_ip,
        selector=selector,
        ports=[ServicePortArgs(name=HTTP, port=pod.listening_port, target_port=pod.port_name)],
    )


def headless_service_spec(pod: Pod, selector: Labels) -> ServiceSpecArgs:
    """The Service that gives each pod of a StatefulSet a name."""
    return ServiceSpecArgs(
        cluster_ip="None",
        # The pods of one group find each other before they are ready.
        publish_not_ready_addresses=True,
        selector=selector,
        ports=[
            ServicePortArgs(name=name, port=port, target_port=name)
            for name, port in {pod.port_name: pod.listening_port, **pod.other_ports}.items()
        ],
    )
