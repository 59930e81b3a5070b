"""The NetworkPolicy of an app's pods."""

from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from infra.apps.pod import Pod, labels
from infra.cluster import Cluster, Namespace
from infra.cluster.network_policies import app_policy
from infra.component import Component
from infra.settings.adopted import Adopted


def pod_network_policy(
    pod: Pod, *, adopted: Adopted, cluster: Cluster, namespace: Namespace, parent: Component
) -> NetworkPolicy:
    """Must exist before the pods: the default policy denies all traffic, and nodes apply new rules with a delay."""
    return NetworkPolicy(
        pod.name,
        metadata=ObjectMetaArgs(
            name=pod.name, namespace=namespace.name, labels=labels(pod, adopted.selector(pod.name))
        ),
        spec=app_policy(
            pod.name,
            port=pod.port,
            allow_from=pod.allow_from,
            exposed=pod.exposed,
            egress=pod.egress,
            addresses=cluster.addresses,
            adopted=adopted,
        ),
        opts=parent.child_options(),
    )
