"""The network between the nodes: Hetzner's private one, or for a cluster that was built so the public addresses (book ch03, ch20)."""

from collections.abc import Mapping

import pulumi
import pulumi_hcloud as hcloud

from infra.component import Component
from infra.machines.addresses import NodeAddresses
from infra.settings.schema import Settings

ZONES: Mapping[str, str] = {
    "nbg1": "eu-central",
    "fsn1": "eu-central",
    "hel1": "eu-central",
    "ash": "us-east",
    "hil": "us-west",
    "sin": "ap-southeast",
}
"""https://docs.hetzner.com/cloud/general/locations/"""


class NodeNetwork(Component):
    """Where the nodes reach each other; a network and its subnet when that is private.

    Attributes:
        addresses: of each alias, what the others call it by.
        private: by alias, what is not public of that.
        subnet: id of the subnet that servers are attached to; None on the public network.
    """

    addresses: Mapping[str, pulumi.Output[str]]
    private: Mapping[str, pulumi.Output[str]]
    subnet: pulumi.Output[str] | None

    def __init__(self, settings: Settings, *, public: NodeAddresses, hetzner: hcloud.Provider) -> None:
        super().__init__("machines:NodeNetwork", "node-network", provider=hetzner)
        self.register_outputs({})
        if settings.cluster.network == "public":
            self.addresses, self.private, self.subnet = public.ipv4, {}, None
            return
        child = pulumi.ResourceOptions(parent=self)
        network = hcloud.Network(
            "honeydue",
            name="honeydue",
            ip_range=str(settings.cluster.private_range),
            delete_protection=True,
            opts=child,
        )
        self.subnet = hcloud.NetworkSubnet(
            "nodes",
            network_id=network.id.apply(int),
            type="cloud",
            network_zone=ZONES[next(iter(settings.nodes.values())).location],
            ip_range=str(settings.cluster.private_range),
            opts=child,
        ).id
        # Hetzner keeps no firewall between them: what may pass is the business of the nodes and of network policies.
        self.private = {
            alias: pulumi.Output.from_input(str(node.private_ipv4)) for alias, node in settings.nodes.items()
        }
        self.addresses = self.private
