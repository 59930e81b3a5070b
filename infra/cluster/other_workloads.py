"""NetworkPolicies for workloads that this program does not declare, such as a metrics agent."""

import re
from collections.abc import Iterator, Mapping, Sequence

import pulumi
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.networking.v1 import (
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)

from infra.cluster.namespace import Namespace, network_policy, system_policies
from infra.cluster.network_policies import (
    ANYWHERE,
    INGRESS_AND_EGRESS,
    ClusterAddresses,
    cidr_peer,
    to_dns,
)
from infra.cluster.provider import Cluster
from infra.component import Component
from infra.names import NAMESPACE
from infra.settings.adopted import Labels
from infra.settings.other_workloads import Connection, OtherWorkload


def pod_peer(namespace: str, labels: Labels) -> NetworkPolicyPeerArgs:
    """Pods of a namespace, all of them if there are no labels."""
    return NetworkPolicyPeerArgs(
        namespace_selector=LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": namespace}),
        pod_selector=LabelSelectorArgs(match_labels=labels),
    )


def _peers(
    connection: Connection,
    workload: OtherWorkload,
    addresses: ClusterAddresses,
    nodes: Sequence[pulumi.Input[str]],
) -> list[NetworkPolicyPeerArgs]:
    """`nodes` are the CIDRs of the nodes: a connection from a node may have an address of the pod range."""
    if connection.to_pods:
        return [pod_peer(connection.namespace or workload.namespace, connection.pods)]
    match connection.address:
        case "internet":
            return [cidr_peer(ANYWHERE, excluding=addresses.not_internet)]
        case "nodes":
            return [cidr_peer(cidr) for cidr in nodes]
        case cidr:
            return [cidr_peer(str(cidr))]


def _port(connection: Connection) -> list[NetworkPolicyPortArgs]:
    return [NetworkPolicyPortArgs(port=connection.port, protocol=connection.protocol)]


def own_policy(workload: OtherWorkload, addresses: ClusterAddresses) -> NetworkPolicySpecArgs:
    """The connections of the workload's own pods. Like every client, they resolve names."""
    egress = [
        NetworkPolicyEgressRuleArgs(
            to=_peers(connection, workload, addresses, addresses.node_cidrs), ports=_port(connection)
        )
        for connection in workload.egress
    ]
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(match_labels=workload.labels),
        policy_types=list(INGRESS_AND_EGRESS),
        ingress=[
            NetworkPolicyIngressRuleArgs(
                from_=_peers(connection, workload, addresses, addresses.host_network), ports=_port(connection)
            )
            for connection in workload.ingress
        ],
        egress=[to_dns(), *egress] if egress else [],
    )


def other_ends(
    name: str, workload: OtherWorkload, isolated: Sequence[str]
) -> Iterator[tuple[str, str, NetworkPolicySpecArgs]]:
    """Namespace, name and spec of the policies that let the workload into the pods that it connects to.

    Only in the namespaces in which the program isolates all pods. In any other one, a policy would isolate its pods.
    """
    ends: dict[tuple[str, str], list[Connection]] = {}
    for connection in workload.egress:
        namespace = connection.namespace or workload.namespace
        if connection.to_pods and namespace in isolated:
            suffix = re.sub(r"[^a-z0-9]+", "-", "-".join(connection.pods.values()).lower()) or "all"
            ends.setdefault((namespace, f"{name}-to-{suffix}"), []).append(connection)
    for (namespace, policy), connections in ends.items():
        yield (
            namespace,
            policy,
            NetworkPolicySpecArgs(
                pod_selector=LabelSelectorArgs(match_labels=connections[0].pods),
                policy_types=["Ingress"],
                ingress=[
                    NetworkPolicyIngressRuleArgs(
                        from_=[pod_peer(workload.namespace, workload.labels)],
                        ports=[port for connection in connections for port in _port(connection)],
                    )
                ],
            ),
        )


class OtherWorkloads(Component):
    """The policies of the workloads in `honeydue:otherWorkloads`, in some namespaces in which all pods are isolated.

    `namespaces` has these by name, each as an output on which the policies depend if the program creates it.
    """

    def __init__(
        self,
        workloads: Mapping[str, OtherWorkload],
        *,
        namespaces: Mapping[str, pulumi.Input[str]],
        cluster: Cluster,
        name: str = "other-workloads",
    ) -> None:
        super().__init__("cluster:OtherWorkloads", name, provider=cluster.provider)
        for workload_name, workload in workloads.items():
            ends = list(other_ends(workload_name, workload, list(namespaces)))
            if workload.namespace in namespaces:
                own = own_policy(workload, cluster.addresses)
                ends.insert(0, (workload.namespace, f"other-{workload_name}", own))
            for target, policy, spec in ends:
                network_policy(namespaces[target], policy, spec, self.child_options(), other_pods=True, prefix=target)
        self.register_outputs({})


def namespaces_of_apps(cluster: Cluster, namespace: Namespace) -> Mapping[str, pulumi.Input[str]]:
    """The namespaces of the apps and of Kubernetes, in which the program isolates all pods, by name."""
    return {NAMESPACE: namespace.name, **{name: name for name in system_policies(cluster.addresses)}}
