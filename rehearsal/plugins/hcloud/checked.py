"""Resource types that the program does not declare: the plugin checks and compares them, and sends no requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..kinds import Kind
from ..values import Props

_RDNS_TARGETS: Final = ("serverId", "primaryIpId", "floatingIpId", "loadBalancerId")


def _one_network(props: Props) -> Iterator[str]:
    configured = [key for key in ("networkId", "subnetId") if props.get(key) is not None]
    if len(configured) != 1:
        problem = "Invalid Attribute Combination" if configured else "Missing Attribute Configuration"
        yield f"{problem}: Exactly one of these attributes must be configured: [network_id,subnet_id]"


def _one_target(props: Props) -> Iterator[str]:
    if sum(props.get(key) is not None for key in _RDNS_TARGETS) != 1:
        listed = "server_id,primary_ip_id,floating_ip_id,load_balancer_id"
        yield f"Missing Attribute Configuration: Exactly one of these attributes must be configured: [{listed}]"


KINDS: Final = (
    Kind(
        type="hcloud:index/firewallAttachment:FirewallAttachment",
        dialect="sdk2",
        replaces=frozenset({"firewallId"}),
        sets=frozenset({"serverIds", "labelSelectors"}),
    ),
    Kind(
        type="hcloud:index/rdns:Rdns",
        dialect="framework",
        replaces=frozenset({*_RDNS_TARGETS, "ipAddress"}),
        check=_one_target,
    ),
    Kind(
        type="hcloud:index/serverNetwork:ServerNetwork",
        dialect="framework",
        replaces=frozenset({"serverId", "networkId", "subnetId", "ip"}),
        sets=frozenset({"aliasIps"}),
        computed=frozenset({"ip", "networkId"}),
        check=_one_network,
    ),
)
