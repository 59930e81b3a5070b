"""The NetworkPolicies of an app's pods.

Policies are additive. One is applied before a rollout and one after it, so that a connection that a change removes
stays allowed until no pod uses it, also if the rollout fails.
"""

import pulumi
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from infra.apps.pod import Pod
from infra.cluster import Cluster, Namespace
from infra.cluster.network_policies import app_policy, running_pods_policy
from infra.component import Component
from infra.pods import labels
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


def declare_running_pods_policy(
    pod: Pod,
    *,
    adopted: Adopted,
    cluster: Cluster,
    namespace: Namespace,
    parent: Component,
    rollout: pulumi.Input[pulumi.Resource],
) -> None:
    """The policy that is applied after the rollout, for an app with destinations on the internet."""
    if all(destination.app for destination in pod.egress):
        return
    name = f"{pod.name}-running"
    NetworkPolicy(
        name,
        metadata=ObjectMetaArgs(name=name, namespace=namespace.name, labels=labels(pod, adopted.selector(pod.name))),
        spec=running_pods_policy(pod.name, egress=pod.egress, addresses=cluster.addresses, adopted=adopted),
        opts=parent.child_options(depends_on=[rollout]),
    )
