"""The rules of NetworkPolicies: which pods may connect to which (docs/connectivity.md).

k3s enforces them with kube-router, by address and port and not by host name. "Neon" is therefore port 5432 of any
public address, and a database in a private network is that port in its network.
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

from infra.names import KUBE_SYSTEM
from infra.settings.adopted import Adopted

INGRESS_AND_EGRESS = ("Ingress", "Egress")
DNS = 53
HTTPS = 443
METRICS_SERVER = 10250
"""The port of k3s' metrics server (manifests/metrics-server in the k3s repository)."""
ANYWHERE = "0.0.0.0/0"
LINK_LOCAL = "169.254.0.0/16"
"""Contains Hetzner's metadata service, 169.254.169.254, which returns the user data to every process of a node."""
PRIVATE_RANGES = (
    LINK_LOCAL,
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
)
"""Addresses that are not on the internet (RFC 1918, 3927, 6598): the cluster itself, or networks behind it."""


@dataclass(frozen=True, kw_only=True)
class ClusterAddresses:
    """The address ranges that policies distinguish. `nodes` has all addresses of the nodes, public and private."""

    pod_cidr: str
    service_cidr: str
    nodes: Sequence[pulumi.Output[str]]

    @property
    def host_network(self) -> Sequence[pulumi.Input[str]]:
        """Source CIDRs of processes on the host network of the nodes: Traefik, kubelets, the API server.

        The source is the address of the node or, for a pod of the same cluster, that of its bridge or VXLAN device in
        the pod range. A namespaceSelector never matches these processes.
        """
        return [*self.node_cidrs, self.pod_cidr]

    @property
    def not_internet(self) -> Sequence[pulumi.Input[str]]:
        """CIDRs that a rule for the internet excludes."""
        ranges = collapse_addresses(IPv4Network(cidr) for cidr in (*PRIVATE_RANGES, self.pod_cidr, self.service_cidr))
        return [*map(str, ranges), *self.node_cidrs]

    @property
    def node_cidrs(self) -> Sequence[pulumi.Output[str]]:
        """Each address of a node."""
        return [node.apply("{}/32".format) for node in self.nodes]


@dataclass(frozen=True, kw_only=True)
class Destination:
    """A port that a pod connects to: of an app in the same namespace, of a private network, or of the internet."""

    port: int
    app: str | None = None
    cidr: str | None = None
    """A private network outside of the cluster."""


def _pods(app: str, adopted: Adopted) -> NetworkPolicyPeerArgs:
    return NetworkPolicyPeerArgs(pod_selector=LabelSelectorArgs(match_labels=adopted.selector(app)))


def cidr_peer(cidr: pulumi.Input[str], *, excluding: Sequence[pulumi.Input[str]] = ()) -> NetworkPolicyPeerArgs:
    return NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=cidr, except_=list(excluding) or None))


def _ports(port: int, *protocols: str) -> list[NetworkPolicyPortArgs]:
    return [NetworkPolicyPortArgs(port=port, protocol=protocol) for protocol in protocols or ("TCP",)]


def to_dns() -> NetworkPolicyEgressRuleArgs:
    """The pods of CoreDNS. Its Service's address is already translated to a pod address when a policy is evaluated."""
    return NetworkPolicyEgressRuleArgs(
        to=[
            NetworkPolicyPeerArgs(
                namespace_selector=LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": KUBE_SYSTEM}),
                pod_selector=LabelSelectorArgs(match_labels={"k8s-app": "kube-dns"}),
            )
        ],
        ports=_ports(DNS, "UDP", "TCP"),
    )


def _to(destination: Destination, *, addresses: ClusterAddresses, adopted: Adopted) -> NetworkPolicyEgressRuleArgs:
    if destination.app:
        peer = _pods(destination.app, adopted)
    elif destination.cidr:
        peer = cidr_peer(destination.cidr)
    else:
        peer = cidr_peer(ANYWHERE, excluding=addresses.not_internet)
    return NetworkPolicyEgressRuleArgs(to=[peer], ports=_ports(destination.port))


def from_host_network(port: int, addresses: ClusterAddresses) -> NetworkPolicyIngressRuleArgs:
    """Allows processes on the host network of the nodes."""
    return NetworkPolicyIngressRuleArgs(from_=[cidr_peer(cidr) for cidr in addresses.host_network], ports=_ports(port))


def app_policy(
    app: str,
    *,
    port: int | None,
    allow_from: Sequence[str],
    exposed: bool,
    egress: Sequence[Destination],
    addresses: ClusterAddresses,
    adopted: Adopted,
) -> NetworkPolicySpecArgs:
    """The policy of one app: ingress from other apps and from Traefik if it is `exposed`, egress to its destinations.

    The probes of kubelets need no rule: traffic from a node to its own pods is always allowed.
    """
    ingress = []
    if port is not None and allow_from:
        ingress.append(
            NetworkPolicyIngressRuleArgs(from_=[_pods(client, adopted) for client in allow_from], ports=_ports(port))
        )
    if port is not None and exposed:
        ingress.append(from_host_network(port, addresses))
    # Every client resolves names.
    rules = [to_dns(), *(_to(destination, addresses=addresses, adopted=adopted) for destination in egress)]
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(match_labels=adopted.selector(app)),
        policy_types=list(INGRESS_AND_EGRESS),
        ingress=ingress,
        egress=rules if egress else [],
    )


def running_pods_policy(
    app: str, *, egress: Sequence[Destination], addresses: ClusterAddresses, adopted: Adopted
) -> NetworkPolicySpecArgs:
    """The same egress to the internet as in `app_policy`, which is applied before the pods are replaced.

    This one is applied afterwards. Until then, the pods that still run keep the destinations that they were started
    with, for example the former port of the database.
    """
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(match_labels=adopted.selector(app)),
        policy_types=["Egress"],
        egress=[
            _to(destination, addresses=addresses, adopted=adopted) for destination in egress if not destination.app
        ],
    )


def deny_all() -> NetworkPolicySpecArgs:
    """Denies all traffic of the namespace's pods. Policies are additive: others allow what is needed."""
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(), policy_types=list(INGRESS_AND_EGRESS), ingress=[], egress=[]
    )


def inside_namespace() -> NetworkPolicySpecArgs:
    """Allows traffic within a namespace, and egress except to the metadata service (k3s hardening guide).

    Egress is as open as in the guide: CoreDNS queries external resolvers, helm-install downloads charts.
    """
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(),
        policy_types=list(INGRESS_AND_EGRESS),
        ingress=[NetworkPolicyIngressRuleArgs(from_=[NetworkPolicyPeerArgs(pod_selector=LabelSelectorArgs())])],
        egress=[NetworkPolicyEgressRuleArgs(to=[cidr_peer(ANYWHERE, excluding=[LINK_LOCAL])])],
    )


def serve_dns(addresses: ClusterAddresses) -> NetworkPolicySpecArgs:
    """Allows all pods and the host network to query CoreDNS. The k3s hardening guide allows every source."""
    clients = [
        NetworkPolicyPeerArgs(namespace_selector=LabelSelectorArgs()),
        *(cidr_peer(cidr) for cidr in addresses.host_network),
    ]
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(match_labels={"k8s-app": "kube-dns"}),
        policy_types=["Ingress"],
        ingress=[NetworkPolicyIngressRuleArgs(from_=clients, ports=_ports(DNS, "UDP", "TCP"))],
    )


def serve_metrics(addresses: ClusterAddresses) -> NetworkPolicySpecArgs:
    """Allows the API server, on the host network, to query the metrics server (k3s hardening guide)."""
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(match_labels={"k8s-app": "metrics-server"}),
        policy_types=["Ingress"],
        ingress=[from_host_network(METRICS_SERVER, addresses)],
    )
