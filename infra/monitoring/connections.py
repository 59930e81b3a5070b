"""The connections of the parts of monitoring, as rules of NetworkPolicies (docs/connectivity.md).

Both ends declare a connection: the part in its own policy, and its destination in the policy of its namespace.
"""

from collections.abc import Mapping, Sequence

from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.networking.v1 import (
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)

from infra.cluster.network_policies import ANYWHERE, INGRESS_AND_EGRESS, ClusterAddresses, cidr_peer, to_dns
from infra.monitoring.ports import API_SERVER_PORT, selector
from infra.names import MONITORING
from infra.settings.adopted import Labels


def pods(labels: Labels, *, namespace: str = MONITORING) -> NetworkPolicyPeerArgs:
    """Pods of a namespace, by their labels."""
    return NetworkPolicyPeerArgs(
        namespace_selector=LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": namespace}),
        pod_selector=LabelSelectorArgs(match_labels=labels),
    )


def ports(*numbers: int, protocol: str = "TCP") -> Sequence[NetworkPolicyPortArgs]:
    return [NetworkPolicyPortArgs(port=number, protocol=protocol) for number in numbers]


def to_pods(labels: Labels, *numbers: int, namespace: str = MONITORING) -> NetworkPolicyEgressRuleArgs:
    """Connections to pods. `numbers` are the TCP ports."""
    return NetworkPolicyEgressRuleArgs(to=[pods(labels, namespace=namespace)], ports=ports(*numbers))


def to_nodes(addresses: ClusterAddresses, *numbers: int) -> NetworkPolicyEgressRuleArgs:
    """Connections to ports of the nodes."""
    return NetworkPolicyEgressRuleArgs(to=[cidr_peer(cidr) for cidr in addresses.node_cidrs], ports=ports(*numbers))


def to_api_server(addresses: ClusterAddresses) -> NetworkPolicyEgressRuleArgs:
    """Connections to the Kubernetes API. A policy is evaluated after the address of its Service became a node's."""
    return to_nodes(addresses, API_SERVER_PORT)


def to_internet(addresses: ClusterAddresses, *numbers: int) -> NetworkPolicyEgressRuleArgs:
    """Connections to any host of the internet, because policies match addresses and not names."""
    return NetworkPolicyEgressRuleArgs(
        to=[cidr_peer(ANYWHERE, excluding=addresses.not_internet)], ports=ports(*numbers)
    )


def policy(
    name: str,
    *,
    ingress: Mapping[int, Sequence[str]],
    egress: Sequence[NetworkPolicyEgressRuleArgs] = (),
    more_ingress: Sequence[NetworkPolicyIngressRuleArgs] = (),
) -> NetworkPolicySpecArgs:
    """The policy of a part. `ingress` are the parts that connect to each of its ports. Every client resolves names."""
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(match_labels=selector(name)),
        policy_types=list(INGRESS_AND_EGRESS),
        ingress=[
            *(
                NetworkPolicyIngressRuleArgs(from_=[pods(selector(client)) for client in clients], ports=ports(port))
                for port, clients in ingress.items()
                if clients
            ),
            *more_ingress,
        ],
        egress=[to_dns(), *egress] if egress else [],
    )


def ingress_policy_name(target: str, *, client: str) -> str:
    """The name of an ingress policy.

    The policies of `honeydue:otherWorkloads` have names of the form "vmagent-to-api". An agent that runs already may
    have an entry `vmagent` there, and both policies must exist until it is removed.
    """
    return f"{target}-from-{client}"


def ingress_policy(labels: Labels, *, client: str, port: int) -> NetworkPolicySpecArgs:
    """Allows connections from a part of monitoring to pods of another namespace."""
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(match_labels=labels),
        policy_types=["Ingress"],
        ingress=[NetworkPolicyIngressRuleArgs(from_=[pods(selector(client))], ports=ports(port))],
    )
