"""What `pulumi stack output` answers."""

from collections.abc import Mapping
from typing import get_args

import pulumi

from infra.cluster.provider import Cluster
from infra.edge.origin_certificate import OriginCertificate
from infra.edge.ranges import CloudflareRanges
from infra.edge.zone import Zone
from infra.machines.addresses import NodeAddresses
from infra.machines.ca import Authority
from infra.machines.firewall import Firewall
from infra.settings.apps import App
from infra.settings.schema import Settings


def ssh_config(nodes: Mapping[str, str], *, port: int) -> str:
    """A snippet for ~/.ssh/config."""
    return "\n".join(
        f"Host {alias}\n  HostName {address}\n  Port {port}\n  User root" for alias, address in nodes.items()
    )


def monthly_cost(settings: Settings) -> Mapping[str, object]:
    """The list price of a month, net."""
    prices = settings.prices
    total = prices.month(node.server_type for node in settings.nodes.values())
    return {"total": total, "currency": prices.currency, "asOf": prices.as_of}


def export_outputs(
    settings: Settings,
    *,
    addresses: NodeAddresses,
    firewall: Firewall,
    ranges: CloudflareRanges,
    zone: Zone,
    certificate: OriginCertificate,
    authority: Authority,
    cluster: Cluster,
) -> None:
    """Exports all outputs; the kubeconfig and the token, without which no snapshot can be restored, are secret."""
    pulumi.export("nodes", addresses.ipv4)
    pulumi.export(
        "sshConfig",
        pulumi.Output.all(**addresses.ipv4).apply(lambda nodes: ssh_config(nodes, port=settings.access.ssh_port)),
    )
    pulumi.export("kubeconfig", cluster.kubeconfig)
    pulumi.export("joinToken", authority.token)
    pulumi.export("urls", {name: f"https://{host}" for name, host in zone.hosts.items()})
    pulumi.export("firewallId", firewall.id)
    pulumi.export("cloudflareRanges", ranges.all)
    pulumi.export("originCertificateExpiry", certificate.expires_on)
    pulumi.export(
        "images", {app: settings.images.reference(app) for app in get_args(App)} | {"redis": settings.images.redis}
    )
    pulumi.export("monthlyCost", monthly_cost(settings))
