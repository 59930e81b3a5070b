"""The objects of one part of monitoring: controller, ServiceAccount, NetworkPolicy, disruption budget and Service."""

from collections.abc import Mapping, Sequence
from typing import Literal

import pulumi
from pulumi_kubernetes.apps.v1 import DaemonSet, Deployment, StatefulSet
from pulumi_kubernetes.core.v1 import Service, ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy, NetworkPolicySpecArgs
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from infra.cluster import Cluster
from infra.cluster.rollout import rolled_out
from infra.component import Component
from infra.monitoring.ports import selector
from infra.pods import Pod, kube_score_annotation, labels
from infra.pods.controllers import (
    daemon_set_spec,
    deployment_spec,
    disruption_budget_spec,
    headless_service_spec,
    stateful_set_spec,
)

Kind = Literal["DaemonSet", "Deployment", "StatefulSet"]


class Workload(Component):
    """One part of monitoring. Its pods only change after the resources in `depends_on` are ready.

    A DaemonSet has no `replicas`. A StatefulSet has a headless Service. A pod on the host network has no `policy`,
    because none applies to it.
    """

    def __init__(
        self,
        pod: Pod,
        *,
        kind: Kind,
        replicas: int = 1,
        policy: NetworkPolicySpecArgs | None,
        namespace: pulumi.Input[str],
        cluster: Cluster,
        depends_on: Sequence[pulumi.Resource] = (),
    ) -> None:
        super().__init__("monitoring:Workload", pod.name, provider=cluster.provider)
        pods = selector(pod.name)

        def metadata(annotations: Mapping[str, str] | None = None) -> ObjectMetaArgs:
            return ObjectMetaArgs(name=pod.name, namespace=namespace, labels=labels(pod, pods), annotations=annotations)

        dependencies: list[pulumi.Resource] = [
            *depends_on,
            ServiceAccount(
                pod.name, metadata=metadata(), automount_service_account_token=False, opts=self.child_options()
            ),
        ]
        if policy is not None:
            dependencies.append(NetworkPolicy(pod.name, metadata=metadata(), spec=policy, opts=self.child_options()))
        # A drain ignores DaemonSets, and a budget does not support them.
        if kind != "DaemonSet":
            PodDisruptionBudget(
                pod.name,
                metadata=metadata(),
                spec=disruption_budget_spec(pods, several=replicas > 1),
                opts=self.child_options(),
            )
        options = self.child_options(
            depends_on=dependencies, custom_timeouts=pulumi.CustomTimeouts(create="10m", update="10m")
        )
        annotated = metadata(kube_score_annotation(pod))
        match kind:
            case "DaemonSet":
                DaemonSet(pod.name, metadata=annotated, spec=daemon_set_spec(pod, pods), opts=options)
            case "Deployment":
                spec = deployment_spec(pod, pods, replicas)
                rolled_out(Deployment(pod.name, metadata=annotated, spec=spec, opts=options), cluster=cluster)
            case "StatefulSet":
                Service(
                    pod.name,
                    # The provider would wait for endpoints, which the rollout already does.
                    metadata=metadata({"pulumi.com/skipAwait": "true"}),
                    spec=headless_service_spec(pod, pods),
                    opts=self.child_options(),
                )
                stateful = stateful_set_spec(pod, pods, replicas)
                StatefulSet(pod.name, metadata=annotated, spec=stateful, opts=options)
        self.register_outputs({})
