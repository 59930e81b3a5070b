"""The outputs of the stack, as `pulumi stack output` prints them."""

from collections.abc import Mapping, Sequence
from typing import get_args

import pulumi

from infra.cluster import Cluster
from infra.edge import CloudflareRanges, OriginCertificate, Zone
from infra.edge.uptime import Uptime
from infra.machines import ClusterCA, Firewall, NodeAddresses
from infra.settings.apps import App
from infra.settings.schema import Settings


def ssh_config(nodes: Mapping[str, str], *, port: int) -> str:
    """A section of ~/.ssh/config with the nodes."""
    return "\n".join(
        f"Host {alias}\n  HostName {address}\n  Port {port}\n  User root" for alias, address in nodes.items()
    )


def monthly_cost(settings: Settings) -> Mapping[str, object]:
    """List price per month, net."""
    prices = settings.prices
    total = prices.month(node.server_type for node in settings.nodes.values())
    return {"total": total, "currency": prices.currency, "asOf": prices.as_of}


def export_outputs(
    settings: Settings,
    *,
    addresses: NodeAddresses,
    firewall: Firewall,
    ca: ClusterCA,
    ranges: CloudflareRanges,
    zone: Zone,
    certificate: OriginCertificate,
    cluster: Cluster,
    uptime: Uptime | None,
    released: Sequence[pulumi.Input[pulumi.CustomResource]],
) -> None:
    """Exports all outputs. The kubeconfig and the tokens are secret. Restoring a snapshot needs the join token.

    The images wait for the `released` resources, the last of each app. If one of them fails, nothing is exported, and
    the stack keeps the images of the last complete release.
    """
    pulumi.export("nodes", addresses.ipv4)
    pulumi.export(
        "sshConfig",
        pulumi.Output.all(**addresses.ipv4).apply(lambda nodes: ssh_config(nodes, port=settings.access.ssh_port)),
    )
    pulumi.export("kubeconfig", cluster.kubeconfig)
    pulumi.export("joinToken", ca.join_token)
    pulumi.export("urls", {name: f"https://{host}" for name, host in zone.hosts.items()})
    pulumi.export("firewallId", firewall.id)
    pulumi.export("cloudflareRanges", ranges.all)
    pulumi.export("originCertificateExpiry", certificate.expires_on)
    images = {app: settings.images.reference(app) for app in get_args(App)} | {"redis": settings.images.redis}
    ids: list[pulumi.Output[str]] = [pulumi.Output.from_input(item).apply(lambda it: it.id) for item in released]
    pulumi.export("images", pulumi.Output.all(*ids).apply(lambda _: images))
    if uptime:
        pulumi.export("uptimeStatusToken", uptime.status_token)
    pulumi.export("monthlyCost", monthly_cost(settings))
