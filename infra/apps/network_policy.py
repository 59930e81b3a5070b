"""The NetworkPolicy of one app's pods, from what the app says about its connections."""

import pulumi
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from infra.apps.pod import Pod, labels
from infra.cluster.namespace import Namespace
from infra.cluster.network_policies import app_policy


def isolate(pod: Pod, *, namespace: Namespace, parent: pulumi.Resource) -> NetworkPolicy:
    """To stand before the pods: without it the namespace lets them reach nobody, and a new rule takes the nodes a moment."""
    selector = namespace.network.adopted.selector(pod.name)
    return NetworkPolicy(
        pod.name,
        metadata=ObjectMetaArgs(name=pod.name, namespace=namespace.name, labels=labels(pod, selector)),
        spec=app_policy(
            pod.name,
            port=pod.port,
            callers=pod.reached_from,
            routed=pod.routed,
            calls=pod.talks_to,
            network=namespace.network,
        ),
        opts=pulumi.ResourceOptions(parent=parent),
    )
