"""The public IPv4 addresses of the nodes. They outlive the servers, because DNS and policies refer to them."""

from collections.abc import Mapping
from functools import partial
from ipaddress import IPv4Address

import pulumi
import pulumi_hcloud as hcloud

from infra.component import Component
from infra.names import LABELS, primary_ip_name
from infra.settings.topology import Node


def check_address(alias: str, expected: IPv4Address | None, actual: str) -> str:
    """Returns the actual address. Raises a RunError when the settings expect another one."""
    if expected is not None and actual != str(expected):
        raise pulumi.RunError(
            f"honeydue:nodes.{alias}.ipv4 expects {expected}, but primary IP {primary_ip_name(alias)} at Hetzner is "
            f"{actual}. Nothing that refers to this node was changed. Correct the setting, or import the primary IP "
            f"that is {expected}."
        )
    return actual


class NodeAddresses(Component):
    """One primary IPv4 address per node, which is not deleted with its server.

    Attributes:
        ipv4: the address of each alias, compared with the settings.
        ids: Hetzner's numeric id of the primary IP of each alias.
    """

    ipv4: Mapping[str, pulumi.Output[str]]
    ids: Mapping[str, pulumi.Output[int]]

    def __init__(
        self, nodes: Mapping[str, Node], *, hooks: pulumi.ResourceHookBinding, provider: hcloud.Provider
    ) -> None:
        super().__init__("machines:NodeAddresses", "addresses", provider=provider)
        primary_ips = {
            alias: hcloud.PrimaryIp(
                alias,
                name=primary_ip_name(alias),
                type="ipv4",
                location=node.location,
                # By default Hetzner deletes the address with its server. Firewall and DNS would then trust the address
                # of another customer.
                auto_delete=False,
                delete_protection=True,
                labels=LABELS,
                # Labels of the console stay. The provider would remove those that the program does not declare.
                opts=self.child_options(hooks=hooks, ignore_changes=["labels"]),
            )
            for alias, node in nodes.items()
        }
        self.ipv4 = {
            alias: primary_ip.ip_address.apply(partial(check_address, alias, nodes[alias].ipv4))
            for alias, primary_ip in primary_ips.items()
        }
        self.ids = {alias: primary_ip.id.apply(int) for alias, primary_ip in primary_ips.items()}
        self.register_outputs({"ipv4": self.ipv4})
