"""Who may talk to whom: what an app says about its connections, and the NetworkPolicies that follow (book ch05, ch20).

k3s enforces them with kube-router: addresses and ports, no host names. "Neon" is therefore port 5432 of any public address.
What is allowed stands in docs/connectivity.md, computed from the rendered policies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses

import pulumi
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.networking.v1 import (
    IPBlockArgs,
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)

from infra.settings.adopted import Adopted
from infra.settings.topology import ClusterSettings

BOTH = ("Ingress", "Egress")
DNS = 53
HTTPS = 443
ANYWHERE = "0.0.0.0/0"
LINK_LOCAL = "169.254.0.0/16"
"""Hetzner answers every process of a node at 169.254.169.254 with the node's user data."""
NOT_PUBLIC = (
    LINK_LOCAL,
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
)
"""Addresses that are not the internet (RFC 1918, 3927, 6598): our own cluster, or somebody's network behind it."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """The addresses and the labels that policies tell apart."""

    settings: ClusterSettings
    adopted: Adopted
    nodes: Sequence[pulumi.Output[str]]

    @property
    def hosts(self) -> Sequence[pulumi.Input[str]]:
        """Where processes on the nodes' own network come from: Traefik, kubelets, the API server.

        A node's address, or to a pod of the same cluster the address of its bridge or its VXLAN device, which lie in the pod range.
        A namespaceSelector never matches them (book ch20).
        """
        return [*(node.apply("{}/32".format) for node in self.nodes), str(self.settings.pod_cidr)]

    @property
    def inside(self) -> Sequence[pulumi.Input[str]]:
        """All that is not the internet."""
        ours = (*NOT_PUBLIC, str(self.settings.pod_cidr), str(self.settings.service_cidr))
        apart = collapse_addresses(IPv4Network(cidr) for cidr in ours)
        return [*(str(network) for network in apart), *(node.apply("{}/32".format) for node in self.nodes)]


@dataclass(frozen=True, kw_only=True)
class Destination:
    """A port that a pod calls: of one app of the same namespace, or of the internet when no app is named."""

    port: int
    app: str | None = None


def _pods(app: str, network: Network) -> NetworkPolicyPeerArgs:
    return NetworkPolicyPeerArgs(pod_selector=LabelSelectorArgs(match_labels=network.adopted.selector(app)))


def _block(cidr: pulumi.Input[str], *, excluding: Sequence[pulumi.Input[str]] = ()) -> NetworkPolicyPeerArgs:
    return NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=cidr, except_=list(excluding) or None))


def _ports(port: int, *protocols: str) -> list[NetworkPolicyPortArgs]:
    return [NetworkPolicyPortArgs(port=port, protocol=protocol) for protocol in protocols or ("TCP",)]


def to_dns() -> NetworkPolicyEgressRuleArgs:
    """CoreDNS' pods. Not its Service's address: that is already rewritten to a pod's when a policy is evaluated."""
    return NetworkPolicyEgressRuleArgs(
        to=[
            NetworkPolicyPeerArgs(
                namespace_selector=LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": "kube-system"}),
                pod_selector=LabelSelectorArgs(match_labels={"k8s-app": "kube-dns"}),
            )
        ],
        ports=_ports(DNS, "UDP", "TCP"),
    )


def _egress(destination: Destination, network: Network) -> NetworkPolicyEgressRuleArgs:
    peer = _pods(destination.app, network) if destination.app else _block(ANYWHERE, excluding=network.inside)
    return NetworkPolicyEgressRuleArgs(to=[peer], ports=_ports(destination.port))


def from_hosts(port: int, network: Network) -> NetworkPolicyIngressRuleArgs:
    """A port that processes on the nodes' own network may reach."""
    return NetworkPolicyIngressRuleArgs(from_=[_block(cidr) for cidr in network.hosts], ports=_ports(port))


def app_policy(
    app: str, *, port: int | None, callers: Sequence[str], routed: bool, calls: Sequence[Destination], network: Network
) -> NetworkPolicySpecArgs:
    """All that one app may: `callers` (and Traefik, when it is `routed`) reach its port, it reaches what it `calls`.

    Kubelets' probes need no rule: what a node sends to its own pods is always let through.
    """
    ingress = []
    if port is not None and callers:
        ingress.append(
            NetworkPolicyIngressRuleArgs(from_=[_pods(caller, network) for caller in callers], ports=_ports(port))
        )
    if port is not None and routed:
        ingress.append(from_hosts(port, network))
    # Whoever calls anybody finds it by name.
    egress = [to_dns(), *(_egress(destination, network) for destination in calls)] if calls else []
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(match_labels=network.adopted.selector(app)),
        policy_types=list(BOTH),
        ingress=ingress,
        egress=egress,
    )


def deny_all() -> NetworkPolicySpecArgs:
    """Every pod of the namespace, both ways. Policies add up: others allow what is allowed."""
    return NetworkPolicySpecArgs(pod_selector=LabelSelectorArgs(), policy_types=list(BOTH), ingress=[], egress=[])


def inside_namespace() -> NetworkPolicySpecArgs:
    """k3s' own namespace: its pods reach each other and all but the metadata address (k3s hardening guide, network policies).

    Egress is as open as the guide leaves it: CoreDNS asks outside resolvers, helm-install fetches charts.
    """
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(),
        policy_types=list(BOTH),
        ingress=[NetworkPolicyIngressRuleArgs(from_=[NetworkPolicyPeerArgs(pod_selector=LabelSelectorArgs())])],
        egress=[NetworkPolicyEgressRuleArgs(to=[_block(ANYWHERE, excluding=[LINK_LOCAL])])],
    )


def serve_dns(network: Network) -> NetworkPolicySpecArgs:
    """CoreDNS answers every pod, and the hosts (k3s hardening guide, which lets everybody in)."""
    everybody = [
        NetworkPolicyPeerArgs(namespace_selector=LabelSelectorArgs()),
        *(_block(cidr) for cidr in network.hosts),
    ]
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(match_labels={"k8s-app": "kube-dns"}),
        policy_types=["Ingress"],
        ingress=[NetworkPolicyIngressRuleArgs(from_=everybody, ports=_ports(DNS, "UDP", "TCP"))],
    )


def serve_metrics(network: Network) -> NetworkPolicySpecArgs:
    """The API server, on the hosts' network, asks the metrics server for what the autoscaler needs (k3s hardening guide)."""
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(match_labels={"k8s-app": "metrics-server"}),
        policy_types=["Ingress"],
        ingress=[from_hosts(METRICS_SERVER, network)],
    )


METRICS_SERVER = 10250
"""The port the metrics server of k3s listens on (k3s manifests/metrics-server)."""
