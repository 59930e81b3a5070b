"""One CoreDNS pod per node. k3s starts a single one; when its node fails, DNS is unavailable for six minutes."""

from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.autoscaling.v2 import (
    CrossVersionObjectReferenceArgs,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpecArgs,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.component import Component
from infra.names import KUBE_SYSTEM

COREDNS = "coredns"


def fixed_replicas(nodes: int) -> HorizontalPodAutoscalerSpecArgs:
    """As many pods as nodes. k3s' manifest sets no replica count and spreads the pods over the nodes.

    https://github.com/k3s-io/k3s/blob/master/manifests/coredns.yaml
    """
    return HorizontalPodAutoscalerSpecArgs(
        scale_target_ref=CrossVersionObjectReferenceArgs(api_version="apps/v1", kind="Deployment", name=COREDNS),
        min_replicas=nodes,
        max_replicas=nodes,
    )


class ClusterDNS(Component):
    """An autoscaler with equal bounds. Kubernetes restores the number of replicas whenever something else changes it.

    `depends_on` must ensure that all nodes have joined. On an init node without others, the scheduler would put all
    pods there and not move any later (docs/nodes.md).
    """

    def __init__(
        self, *, nodes: int, provider: kubernetes.Provider, depends_on: Sequence[pulumi.Input[pulumi.Resource]]
    ) -> None:
        super().__init__("cluster:ClusterDNS", "cluster-dns", provider=provider)
        # kube-score expects the Deployment among our manifests. k3s creates this one.
        ignored = {"kube-score/ignore": "horizontalpodautoscaler-has-target"}
        HorizontalPodAutoscaler(
            COREDNS,
            metadata=ObjectMetaArgs(name=COREDNS, namespace=KUBE_SYSTEM, annotations=ignored),
            spec=fixed_replicas(nodes),
            opts=self.child_options(depends_on=depends_on),
        )
        self.register_outputs({})
