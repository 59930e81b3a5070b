"""The servers: three CX33, all of them k3s servers (book ch01, ch02)."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_hcloud as hcloud

from infra.component import Component
from infra.machines.addresses import NodeAddresses
from infra.machines.ca import Authority
from infra.machines.cloud_init import user_data
from infra.machines.firewall import Firewall
from infra.machines.network import NodeNetwork
from infra.machines.node_config import Boot
from infra.settings.schema import Settings
from infra.settings.topology import Node, servers

LABELS = {"cluster": "honeydue"}
# Each of these replaces a server when it differs, and on an adopted one it always does: what was typed into the console is
# not in the API. `placementGroupId` needs the server powered off, so only new servers join the group. For `publicNets` the
# provider powers it off too, and deletes the address that it had not assigned itself: an adopted server would lose its own.
SET_AT_CREATION = ["image", "location", "sshKeys", "userData", "placementGroupId", "publicNets"]


def founding(settings: Settings, *, existing: Sequence[str]) -> str | None:
    """The alias that may found the cluster: the settings' founder, while there is no other server.

    A machine that takes the founder's place knows nothing of what was before, and would found a second, empty cluster as soon
    as the others are silent for a moment.
    """
    alias = settings.cluster.init_node
    if alias is None or alias == settings.replacing:
        return None
    return alias if set(existing) <= {settings.nodes[alias].hostname} else None


def existing_servers(settings: Settings, hetzner: hcloud.Provider) -> Sequence[str]:
    """Hostnames of the cluster's servers, read at plan time; of no interest where nothing is founded."""
    if not settings.cluster.bootstrapped:
        return []
    selector = ",".join(f"{name}={value}" for name, value in LABELS.items())
    found = hcloud.get_servers(with_selector=selector, opts=pulumi.InvokeOptions(provider=hetzner))
    return [server.name for server in found.servers]


class Machines(Component):
    """The operators' keys, the servers, and the placement group that spreads new ones over different hosts.

    Attributes:
        servers: the server of each alias.
    """

    servers: Mapping[str, hcloud.Server]

    def __init__(
        self,
        settings: Settings,
        *,
        addresses: NodeAddresses,
        network: NodeNetwork,
        firewall: Firewall,
        authority: Authority,
        hetzner: hcloud.Provider,
    ) -> None:
        super().__init__("machines:Machines", "machines", provider=hetzner)
        self._settings, self._addresses, self._network, self._authority = settings, addresses, network, authority
        child = pulumi.ResourceOptions(parent=self)
        # A new public key replaces the old one; servers took theirs when they were created.
        replaceable = pulumi.ResourceOptions(parent=self, protect=False)
        keys: Sequence[hcloud.SshKey] = [
            hcloud.SshKey(f"key-{name}", name=name, public_key=public_key, labels=LABELS, opts=replaceable)
            for name, public_key in settings.ssh_keys.items()
        ]
        spread = hcloud.PlacementGroup("spread", name="honeydue", type="spread", labels=LABELS, opts=child)
        founder = founding(settings, existing=existing_servers(settings, hetzner))
        made: dict[str, hcloud.Server] = {}
        # The founder first: were it to fail alone, the others would wait for a cluster that nobody may found any more.
        for alias in sorted(settings.nodes, key=lambda alias: alias != settings.cluster.init_node):
            node = settings.nodes[alias]
            made[alias] = hcloud.Server(
                alias,
                name=node.hostname,
                server_type=node.server_type,
                # A later downgrade stays possible; without it a resize grows the disk for good.
                keep_disk=True,
                image=node.image,
                location=node.location,
                public_nets=[
                    hcloud.ServerPublicNetArgs(ipv4_enabled=True, ipv4=addresses.ids[alias], ipv6_enabled=True)
                ],
                # Inline and not an attachment of its own: it is there at the first boot and goes with its server. And set at creation
                # alone, as the provider would replace the server at every `up` for what it reads back; another private address in the
                # settings cuts no living node off.
                networks=None
                if network.subnet is None
                else [{"subnet_id": network.subnet, "ip": str(node.private_ipv4), "alias_ips": []}],
                firewall_ids=[firewall.id],
                ssh_keys=[key.id for key in keys],
                placement_group_id=spread.id.apply(int),
                user_data=self._user_data(alias, node, founds=alias == founder),
                labels=LABELS,
                # Hetzner wants the two alike; they guard the console and the API, `protect` guards this program.
                delete_protection=True,
                rebuild_protection=True,
                opts=self._options(alias, after=[made[one] for one in made if one == settings.cluster.init_node]),
            )
        self.servers = made
        self.register_outputs({"servers": {alias: server.id for alias, server in made.items()}})

    def _options(self, alias: str, *, after: Sequence[pulumi.Resource]) -> pulumi.ResourceOptions:
        meant = alias == self._settings.replacing
        private = ["networks"] if self._network.subnet is not None else []
        return pulumi.ResourceOptions(
            parent=self,
            # Ignored properties are those of the old one even in its replacement, which would come with the image and the user
            # data of years ago.
            ignore_changes=[] if meant else [*SET_AT_CREATION, *private],
            protect=False if meant else None,
            # The new one takes the name and the address of the old.
            delete_before_replace=True,
            depends_on=list(after),
        )

    def _user_data(self, alias: str, node: Node, *, founds: bool) -> pulumi.Output[str]:
        settings, addresses = self._settings, self._network.addresses
        peers = [addresses[other] for other in servers(settings.nodes) if other != alias]
        told = pulumi.Output.all(
            address=addresses[alias],
            public_address=self._addresses.ipv4[alias],
            peers=peers,
            token=self._authority.token,
            authority=self._authority.files if alias == settings.cluster.init_node else {},
        )
        return pulumi.Output.secret(
            told.apply(
                lambda parts: user_data(
                    Boot(hostname=node.hostname, role=node.role, founds=founds, **parts),
                    cluster=settings.cluster,
                    access=settings.access,
                )
            )
        )
