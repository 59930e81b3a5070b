"""The network between the nodes: a private network at Hetzner, or the public addresses."""

from collections.abc import Mapping

import pulumi
import pulumi_hcloud as hcloud

from infra.component import Component
from infra.machines.addresses import NodeAddresses
from infra.names import LABELS
from infra.settings.limits import NETWORK_ZONES
from infra.settings.schema import Settings


class NodeNetwork(Component):
    """The addresses at which nodes reach each other, with a network and a subnet if they are private.

    Attributes:
        addresses: of each alias, on this network.
        private: the private ones of these, by alias; empty on the public network.
        subnet: id of the subnet that servers are attached to; None on the public network.
    """

    addresses: Mapping[str, pulumi.Output[str]]
    private: Mapping[str, pulumi.Output[str]]
    subnet: pulumi.Output[str] | None

    def __init__(
        self,
        settings: Settings,
        *,
        public: NodeAddresses,
        hooks: pulumi.ResourceHookBinding,
        provider: hcloud.Provider,
    ) -> None:
        super().__init__("machines:NodeNetwork", "node-network", provider=provider)
        if settings.cluster.network == "public":
            self.addresses, self.private, self.subnet = public.ipv4, {}, None
        else:
            self.private = {
                alias: pulumi.Output.from_input(str(node.private_ipv4)) for alias, node in settings.nodes.items()
            }
            self.addresses, self.subnet = self.private, self._private_subnet(settings, hooks)
        self.register_outputs({})

    def _private_subnet(self, settings: Settings, hooks: pulumi.ResourceHookBinding) -> pulumi.Output[str]:
        # Hetzner's firewalls do not filter a private network: network policies restrict the traffic of pods.
        network = hcloud.Network(
            "honeydue",
            name="honeydue",
            ip_range=str(settings.cluster.private_range),
            delete_protection=True,
            labels=LABELS,
            # Choices of the console stay. The provider would reset those that the program does not declare.
            opts=self.child_options(hooks=hooks, ignore_changes=["labels", "exposeRoutesToVswitch"]),
        )
        subnet = hcloud.NetworkSubnet(
            "nodes",
            network_id=network.id.apply(int),
            type="cloud",
            network_zone=NETWORK_ZONES[next(iter(settings.nodes.values())).location],
            ip_range=str(settings.cluster.private_range),
            opts=self.child_options(),
        )
        return subnet.id
