"""The servers: three CX33, all of them k3s servers (book ch01, ch02)."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_hcloud as hcloud

from infra.component import Component
from infra.machines.addresses import NodeAddresses
from infra.machines.cloud_init import user_data
from infra.machines.firewall import Firewall
from infra.schema import Node

LABELS = {"cluster": "honeydue"}
# Each of these replaces a server when it differs, and on an adopted one it always does: what was typed into the console is
# not in the API. `placementGroupId` needs the server powered off, so only new servers join the group. For `publicNets` the
# provider powers it off too, and deletes the address that it had not assigned itself: an adopted server would lose its own.
SET_AT_CREATION = ["image", "location", "sshKeys", "userData", "placementGroupId", "publicNets"]


class Machines(Component):
    """The operators' keys, the servers, and the placement group that spreads new ones over different hosts.

    Attributes:
        servers: the server of each alias.
    """

    servers: Mapping[str, hcloud.Server]

    def __init__(
        self,
        nodes: Mapping[str, Node],
        *,
        addresses: NodeAddresses,
        firewall: Firewall,
        ssh_keys: Mapping[str, str],
        hetzner: hcloud.Provider,
    ) -> None:
        super().__init__("machines:Machines", "machines", provider=hetzner)
        child = pulumi.ResourceOptions(parent=self)
        # A new public key replaces the old one; servers took theirs when they were created.
        replaceable = pulumi.ResourceOptions(parent=self, protect=False)
        keys: Sequence[hcloud.SshKey] = [
            hcloud.SshKey(f"key-{name}", name=name, public_key=public_key, labels=LABELS, opts=replaceable)
            for name, public_key in ssh_keys.items()
        ]
        spread = hcloud.PlacementGroup("spread", name="honeydue", type="spread", labels=LABELS, opts=child)
        self.servers = {
            alias: hcloud.Server(
                alias,
                name=node.hostname,
                server_type=node.server_type,
                # A later downgrade stays possible; without it a resize grows the disk for good.
                keep_disk=True,
                image=node.image,
                location=node.location,
                public_nets=[hcloud.ServerPublicNetArgs(ipv4_enabled=True, ipv4=addresses.ids[alias], ipv6_enabled=True)],
                firewall_ids=[firewall.id],
                ssh_keys=[key.id for key in keys],
                placement_group_id=spread.id.apply(int),
                user_data=user_data(hostname=node.hostname),
                labels=LABELS,
                # Hetzner wants the two alike; they guard the console and the API, `protect` guards this program.
                delete_protection=True,
                rebuild_protection=True,
                opts=pulumi.ResourceOptions(parent=self, ignore_changes=SET_AT_CREATION),
            )
            for alias, node in nodes.items()
        }
        self.register_outputs({"servers": {alias: server.id for alias, server in self.servers.items()}})
