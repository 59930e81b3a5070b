"""The nodes' public addresses, which outlive the servers: DNS, firewall and network policies point at them."""

from collections.abc import Mapping
from functools import partial
from ipaddress import IPv4Address

import pulumi
import pulumi_hcloud as hcloud

from infra.component import Component
from infra.settings.topology import Node


def primary_ip_name(alias: str) -> str:
    """What a node's primary IP is called at Hetzner."""
    return f"{alias}-ipv4"


def expect_address(alias: str, expected: IPv4Address | None, held: str) -> str:
    """The address Hetzner holds, or a RunError when the settings expect another one."""
    if expected is not None and held != str(expected):
        raise pulumi.RunError(
            f"honeydue:nodes.{alias}.ipv4 expects {expected}, but Hetzner holds {held} for primary IP {primary_ip_name(alias)}. "
            "Nothing that points at this node was changed. Correct the setting, or import the address that was meant."
        )
    return held


class NodeAddresses(Component):
    """One primary IPv4 per node, never deleted with its server (book ch01).

    Attributes:
        ipv4: address by alias, checked against the settings.
        ids: Hetzner's numeric id of the primary IP, by alias.
    """

    ipv4: Mapping[str, pulumi.Output[str]]
    ids: Mapping[str, pulumi.Output[int]]

    def __init__(self, nodes: Mapping[str, Node], *, hetzner: hcloud.Provider) -> None:
        super().__init__("machines:NodeAddresses", "addresses", provider=hetzner)
        held = {
            alias: hcloud.PrimaryIp(
                alias,
                name=primary_ip_name(alias),
                type="ipv4",
                location=node.location,
                # Hetzner's default gives the address back with the server, and the firewall and DNS would point at a stranger.
                auto_delete=False,
                delete_protection=True,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for alias, node in nodes.items()
        }
        self.ipv4 = {
            alias: ip.ip_address.apply(partial(expect_address, alias, nodes[alias].ipv4)) for alias, ip in held.items()
        }
        self.ids = {alias: ip.id.apply(int) for alias, ip in held.items()}
        self.register_outputs({"ipv4": self.ipv4})
