"""The cluster's DNS on every node: k3s starts one CoreDNS, and with the node of that one no name is found for six minutes."""

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

COREDNS = "coredns"


def one_each(nodes: int) -> HorizontalPodAutoscalerSpecArgs:
    """As many pods as nodes, whatever they are at work on: k3s' manifest gives no count and puts each on a node of its own.

    https://github.com/k3s-io/k3s/blob/master/manifests/coredns.yaml
    """
    return HorizontalPodAutoscalerSpecArgs(
        scale_target_ref=CrossVersionObjectReferenceArgs(api_version="apps/v1", kind="Deployment", name=COREDNS),
        min_replicas=nodes,
        max_replicas=nodes,
    )


class ClusterDNS(Component):
    """An autoscaler whose bounds are one number: Kubernetes keeps to it, whoever sets another.

    Not before `after`: to a founder that is still alone the scheduler would give all of them, and move none later (docs/nodes.md).
    """

    def __init__(self, *, nodes: int, provider: kubernetes.Provider, after: Sequence[pulumi.Resource]) -> None:
        super().__init__("cluster:ClusterDNS", "cluster-dns", provider=provider)
        # kube-score looks for the Deployment among our own manifests; this one is k3s'.
        exempt = {"kube-score/ignore": "horizontalpodautoscaler-has-target"}
        HorizontalPodAutoscaler(
            COREDNS,
            metadata=ObjectMetaArgs(name=COREDNS, namespace="kube-system", annotations=exempt),
            spec=one_each(nodes),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        self.register_outputs({})
