"""The objects of an app: Deployment, Service, ServiceAccount, NetworkPolicy, disruption budget and autoscaler."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.autoscaling.v2 import (
    CrossVersionObjectReferenceArgs,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpecArgs,
    MetricSpecArgs,
    MetricTargetArgs,
    ResourceMetricSourceArgs,
)
from pulumi_kubernetes.core.v1 import (
    PersistentVolumeClaim,
    PersistentVolumeClaimSpecArgs,
    Service,
    ServiceAccount,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from infra.apps.autoscaler_behavior import autoscaler_behavior
from infra.apps.network_policy import declare_running_pods_policy, pod_network_policy
from infra.apps.pod import Demand, Pod
from infra.cluster import Cluster, Namespace
from infra.cluster.network_policies import Destination
from infra.cluster.rollout import rolled_out
from infra.component import Component
from infra.names import NAMESPACE
from infra.pods import kube_score_annotation, labels
from infra.pods.controllers import deployment_spec, disruption_budget_spec, service_spec
from infra.settings.adopted import Adopted
from infra.settings.scaling import Autoscaling


def autoscaler_spec(pod: Pod, scale: Autoscaling) -> HorizontalPodAutoscalerSpecArgs:
    """Scales by CPU utilization in percent of the request."""
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
        behavior=autoscaler_behavior(scale),
    )


@dataclass(frozen=True, kw_only=True)
class VolumeClaim:
    """A PersistentVolumeClaim. `logical_name` identifies it in the stack, `name` in the cluster."""

    logical_name: str
    name: str
    spec: PersistentVolumeClaimSpecArgs


class Workload(Component):
    """One app. Its pods only change after the resources in `depends_on` are ready.

    Attributes:
        deployment: the Deployment, when its rollout is complete.
        ready: the resource after which clients can connect: the Service, or the Deployment if there is none.
        url: URL inside the cluster; empty for an app without a port.
        name, port: of the Service.
        demand: the most pods at a time, for the quota of the namespace.
    """

    deployment: pulumi.Input[Deployment]
    ready: pulumi.Input[pulumi.CustomResource]
    url: str
    name: str
    port: int | None
    demand: Demand

    def __init__(
        self,
        pod: Pod,
        *,
        scale: int | Autoscaling,
        adopted: Adopted,
        cluster: Cluster,
        namespace: Namespace,
        depends_on: Sequence[pulumi.Input[pulumi.Resource]],
        claim: VolumeClaim | None = None,
    ) -> None:
        super().__init__("apps:Workload", pod.name, provider=cluster.provider)
        self.name = pod.name
        self.port = pod.port
        self.demand = Demand.of(pod.resources, replicas=scale.max if isinstance(scale, Autoscaling) else scale)
        replicas = None if isinstance(scale, Autoscaling) else scale
        selector = adopted.selector(pod.name)

        def metadata(annotations: Mapping[str, str] | None = None) -> ObjectMetaArgs:
            return ObjectMetaArgs(
                name=pod.name, namespace=namespace.name, labels=labels(pod, selector), annotations=annotations
            )

        account = ServiceAccount(
            pod.name, metadata=metadata(), automount_service_account_token=False, opts=self.child_options()
        )
        policy = pod_network_policy(pod, adopted=adopted, cluster=cluster, namespace=namespace, parent=self)
        PodDisruptionBudget(
            pod.name,
            metadata=metadata(),
            spec=disruption_budget_spec(selector, several=replicas != 1),
            opts=self.child_options(),
        )
        volumes = [self._volume_claim(claim, namespace)] if claim else []
        deployment = Deployment(
            pod.name,
            metadata=metadata(kube_score_annotation(pod)),
            spec=deployment_spec(pod, selector, replicas),
            opts=self.child_options(
                depends_on=[account, policy, *depends_on, *volumes],
                # The field manager that imported a Deployment owns its replica count. Removing the field would reset it
                # to 1 until the autoscaler changes it again.
                ignore_changes=["spec.replicas"] if isinstance(scale, Autoscaling) else [],
                custom_timeouts=pulumi.CustomTimeouts(create="10m", update="10m"),
            ),
        )
        self.deployment = rolled_out(deployment, cluster=cluster)
        declare_running_pods_policy(
            pod, adopted=adopted, cluster=cluster, namespace=namespace, parent=self, rollout=self.deployment
        )
        if isinstance(scale, Autoscaling):
            HorizontalPodAutoscaler(
                pod.name,
                metadata=metadata(),
                spec=autoscaler_spec(pod, scale),
                opts=self.child_options(depends_on=[self.deployment]),
            )
        self.ready, self.url = self.deployment, ""
        if pod.port is not None:
            self.ready = Service(
                pod.name,
                # The Deployment is already ready. The provider would only wait ten more seconds for the endpoints.
                metadata=metadata({"pulumi.com/skipAwait": "true"}),
                spec=service_spec(pod, selector, adopted.cluster_ips.get(pod.name)),
                opts=self.child_options(depends_on=[self.deployment]),
            )
            self.url = f"http://{pod.name}.{NAMESPACE}.svc:{pod.port}"
        self.register_outputs({})

    @property
    def destination(self) -> Destination:
        """The destination that clients of this app declare."""
        if self.port is None:
            raise ValueError(f"{self.name} listens on no port, so no other app can connect to it")
        return Destination(app=self.name, port=self.port)

    def _volume_claim(self, claim: VolumeClaim, namespace: Namespace) -> PersistentVolumeClaim:
        return PersistentVolumeClaim(
            claim.logical_name,
            metadata=ObjectMetaArgs(
                name=claim.name,
                namespace=namespace.name,
                # The storage class only binds the claim when its first pod is scheduled. The provider would therefore
                # wait for a pending claim, and time out when the claim is already bound.
                annotations={"pulumi.com/skipAwait": "true"},
            ),
            spec=claim.spec,
            # A claim was a child of the stack before it was a child of its app.
            opts=self.child_options(aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)]),
        )
