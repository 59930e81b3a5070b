"""The shape every app shares: Deployment, Service, ServiceAccount, policy, budget and, where asked, an autoscaler (book ch07)."""

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_kubernetes.apps.v1 import (
    Deployment,
    DeploymentSpecArgs,
    DeploymentStrategyArgs,
    RollingUpdateDeploymentArgs,
)
from pulumi_kubernetes.autoscaling.v2 import (
    CrossVersionObjectReferenceArgs,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpecArgs,
    MetricSpecArgs,
    MetricTargetArgs,
    ResourceMetricSourceArgs,
)
from pulumi_kubernetes.core.v1 import PodTemplateSpecArgs, Service, ServiceAccount, ServicePortArgs, ServiceSpecArgs
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget, PodDisruptionBudgetSpecArgs

from infra.apps.network_policy import isolate
from infra.apps.pod import Pod, exemptions, labels, pod_spec
from infra.cluster.namespace import NAMESPACE, Namespace
from infra.cluster.network_policies import Destination
from infra.component import Component
from infra.settings.adopted import Labels
from infra.settings.apps import Autoscaling

HTTP = "http"


def strategy(pod: Pod) -> DeploymentStrategyArgs:
    """Apps that may overlap roll one at a time without losing one; a singleton stops before its successor starts."""
    if pod.singleton:
        return DeploymentStrategyArgs(type="Recreate")
    return DeploymentStrategyArgs(
        type="RollingUpdate", rolling_update=RollingUpdateDeploymentArgs(max_surge=1, max_unavailable=0)
    )


def deployment_spec(pod: Pod, selector: Labels, scale: int | Autoscaling) -> DeploymentSpecArgs:
    """The Deployment. Under an autoscaler it names no replica count: the two would undo each other at every `up`."""
    return DeploymentSpecArgs(
        replicas=None if isinstance(scale, Autoscaling) else scale,
        revision_history_limit=5,
        # Longer than the slowest start allowed by the startup probes, so that Kubernetes does not call it stuck before they do.
        progress_deadline_seconds=540,
        selector=LabelSelectorArgs(match_labels=selector),
        strategy=strategy(pod),
        template=PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(
                labels=labels(pod, selector), annotations={"honeydue/reads": pod.reads} if pod.reads else {}
            ),
            spec=pod_spec(pod, selector),
        ),
    )


def disruption_budget_spec(selector: Labels, scale: int | Autoscaling) -> PodDisruptionBudgetSpecArgs:
    """One at a time while there are several; a lone pod never blocks the drain of a node (book: worker minAvailable 0)."""
    several = isinstance(scale, Autoscaling) or scale > 1
    return PodDisruptionBudgetSpecArgs(
        selector=LabelSelectorArgs(match_labels=selector),
        max_unavailable=1 if several else None,
        min_available=None if several else 0,
        # Pods that never became ready may go: they serve nobody, and would block a drain for ever.
        unhealthy_pod_eviction_policy="AlwaysAllow",
    )


def autoscaler_spec(pod: Pod, scale: Autoscaling) -> HorizontalPodAutoscalerSpecArgs:
    """CPU use in percent of the request."""
    return HorizontalPodAutoscalerSpecArgs(
        scale_target_ref=CrossVersionObjectReferenceArgs(api_version="apps/v1", kind="Deployment", name=pod.name),
        min_replicas=scale.min,
        max_replicas=scale.max,
        metrics=[
            MetricSpecArgs(
                type="Resource",
                resource=ResourceMetricSourceArgs(
                    name="cpu", target=MetricTargetArgs(type="Utilization", average_utilization=scale.cpu_percent)
                ),
            )
        ],
    )


def service_spec(pod: Pod, selector: Labels, cluster_ip: str | None) -> ServiceSpecArgs:
    """The stable address inside the cluster, Kubernetes' choice where there is none yet, on the port the app itself listens on."""
    return ServiceSpecArgs(
        cluster_ip=cluster_ip,
        selector=selector,
        ports=[ServicePortArgs(name=HTTP, port=pod.listening_port, target_port=pod.port_name)],
    )


class Workload(Component):
    """One app, as `pod` describes it. `after` must stand before its pods may change.

    Attributes:
        deployment: what must have rolled before others go on.
        ready: what stands when the app can be called: the Service, or the Deployment where it has none.
        url: address inside the cluster; empty for an app that nobody calls.
        name, port: of the Service.
    """

    deployment: Deployment
    ready: pulumi.Resource
    url: str
    name: str
    port: int | None

    def __init__(
        self, pod: Pod, *, scale: int | Autoscaling, namespace: Namespace, after: Sequence[pulumi.Resource]
    ) -> None:
        super().__init__("apps:Workload", pod.name, provider=namespace.provider)
        child = pulumi.ResourceOptions(parent=self)
        self.name = pod.name
        self.port = pod.port
        adopted = namespace.network.adopted
        selector = adopted.selector(pod.name)

        def named(annotations: Mapping[str, str] | None = None) -> ObjectMetaArgs:
            return ObjectMetaArgs(
                name=pod.name, namespace=namespace.name, labels=labels(pod, selector), annotations=annotations
            )

        account = ServiceAccount(pod.name, metadata=named(), automount_service_account_token=False, opts=child)
        policy = isolate(pod, namespace=namespace, parent=self)
        PodDisruptionBudget(pod.name, metadata=named(), spec=disruption_budget_spec(selector, scale), opts=child)
        self.deployment = Deployment(
            pod.name,
            metadata=named(exemptions(pod)),
            spec=deployment_spec(pod, selector, scale),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[account, policy, *after],
                # Whoever adopts a Deployment owns its count, and no longer giving one would set it to 1 until the autoscaler looks.
                ignore_changes=["spec.replicas"] if isinstance(scale, Autoscaling) else None,
                custom_timeouts=pulumi.CustomTimeouts(create="10m", update="10m"),
            ),
        )
        if isinstance(scale, Autoscaling):
            HorizontalPodAutoscaler(
                pod.name,
                metadata=named(),
                spec=autoscaler_spec(pod, scale),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[self.deployment]),
            )
        self.ready, self.url = self.deployment, ""
        if pod.port is not None:
            self.ready = Service(
                pod.name,
                # Its pods were awaited with the Deployment; the provider would watch the endpoints ten seconds more for nothing.
                metadata=named({"pulumi.com/skipAwait": "true"}),
                spec=service_spec(pod, selector, adopted.cluster_ips.get(pod.name)),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[self.deployment]),
            )
            self.url = f"http://{pod.name}.{NAMESPACE}.svc:{pod.port}"
        self.register_outputs({})

    @property
    def endpoint(self) -> Destination:
        """For those who talk to it."""
        if self.port is None:
            raise ValueError(f"{self.name} listens on no port, so nobody can talk to it")
        return Destination(app=self.name, port=self.port)
