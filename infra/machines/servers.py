"""The servers at Hetzner, with the operators' SSH keys."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import pulumi
import pulumi_hcloud as hcloud

from infra.component import Component
from infra.machines import registries
from infra.machines.addresses import NodeAddresses
from infra.machines.ca import ClusterCA
from infra.machines.cloud_init import user_data
from infra.machines.firewall import Firewall
from infra.machines.network import NodeNetwork
from infra.machines.node_config import NodeConfig
from infra.machines.placement import assign, group_name, read_members, resource_name
from infra.names import LABELS
from infra.settings.node_facts import node_facts
from infra.settings.schema import Settings
from infra.settings.topology import Node, servers

# A difference in any of these would replace the server. An adopted server always differs: the API does not return what
# was entered in the console. `placementGroupId` requires a server that is powered off, so only new servers join a
# group. For a change of `publicNets` the provider powers the server off and deletes an address that it did not assign
# itself, so an adopted server would lose its address.
SET_AT_CREATION = ["image", "location", "sshKeys", "userData", "placementGroupId", "publicNets"]
# An adopted server keeps what was chosen in the console, and its replacement takes it over. When backups are disabled,
# Hetzner deletes all of them immediately. `iso` and `rescue` need no entry: the provider never reads them.
CHOSEN_IN_CONSOLE = ["backups"]


def bootstrap_node(settings: Settings, *, existing_servers: Sequence[str]) -> str | None:
    """The node that runs `k3s server --cluster-init`, or None when the cluster already has servers.

    A replaced init node must join instead. It has no data, so it would otherwise create a second, empty cluster as soon
    as the other servers do not respond for a moment.
    """
    alias = settings.cluster.init_node
    if alias is None or alias == settings.replacing:
        return None
    return alias if set(existing_servers) <= {settings.nodes[alias].hostname} else None


def read_existing_servers(settings: Settings, provider: hcloud.Provider) -> Sequence[str]:
    """Hostnames of the servers that Hetzner lists under the cluster label, read while planning.

    Empty for a cluster that was not bootstrapped by this program.
    """
    if not settings.cluster.bootstrapped:
        return []
    selector = ",".join(f"{name}={value}" for name, value in LABELS.items())
    result = hcloud.get_servers(with_selector=selector, opts=pulumi.InvokeOptions(provider=provider))
    return [server.name for server in result.servers]


def quorum_warning(settings: Settings) -> str | None:
    """Why the number of servers is worse than the next lower one, or None."""
    count = len(servers(settings.nodes))
    if count % 2:
        return None
    return (
        f"honeydue:nodes has {count} servers. etcd needs {count // 2 + 1} of them, so the cluster survives the loss of "
        f"{count // 2 - 1 or 'none'}, the same number as with {count - 1}, and more servers fail more often. "
        f"Use {count - 1} or {count + 1}, and the role agent for a node that only runs pods."
    )


class Servers(Component):
    """The SSH keys, the servers, and the placement groups that put new servers on different hosts.

    Attributes:
        by_alias: the server of each alias.
    """

    by_alias: Mapping[str, hcloud.Server]

    def __init__(
        self,
        settings: Settings,
        *,
        addresses: NodeAddresses,
        network: NodeNetwork,
        firewall: Firewall,
        ca: ClusterCA,
        hooks: pulumi.ResourceHookBinding,
        provider: hcloud.Provider,
    ) -> None:
        super().__init__(
            "machines:Servers",
            "machines",
            provider=provider,
            # The facts that existing servers were created with, for the guard rail of the next plan.
            inputs={"facts": asdict(node_facts(settings))},
            opts=pulumi.ResourceOptions(aliases=[pulumi.Alias(type_="honeydue:machines:Machines")]),
        )
        if warning := quorum_warning(settings):
            pulumi.log.warn(warning, self)
        self._settings, self._addresses, self._network, self._ca, self._hooks = settings, addresses, network, ca, hooks
        keys: Sequence[hcloud.SshKey] = [
            # A changed public key replaces the resource. Existing servers keep the key that they were created with.
            hcloud.SshKey(
                f"key-{name}",
                name=name,
                public_key=public_key,
                labels=LABELS,
                # Hetzner refuses a second key with the same name, and the provider would create the new one first.
                opts=self.child_options(protect=False, ignore_changes=["labels"], delete_before_replace=True),
            )
            for name, public_key in settings.ssh_keys.items()
        ]
        members = read_members(provider)
        assigned = assign([node.hostname for node in settings.nodes.values()], members)
        placement_groups = {
            number: hcloud.PlacementGroup(
                resource_name(number),
                name=group_name(number),
                type="spread",
                labels=LABELS,
                opts=self.child_options(ignore_changes=["labels"]),
            )
            for number in range(1, max([*assigned.values(), *members]) + 1)
        }
        init_node = settings.cluster.init_node
        bootstrapping = bootstrap_node(settings, existing_servers=read_existing_servers(settings, provider))
        created: dict[str, hcloud.Server] = {}
        # Create the init node first. If it failed after the others were created, they would wait for a cluster that no
        # node may bootstrap any more.
        for alias in sorted(settings.nodes, key=lambda alias: alias != init_node):
            node = settings.nodes[alias]
            created[alias] = hcloud.Server(
                alias,
                name=node.hostname,
                server_type=node.server_type,
                # Allows a later downgrade. Otherwise a resize grows the disk permanently.
                keep_disk=True,
                image=node.image,
                location=node.location,
                public_nets=[
                    hcloud.ServerPublicNetArgs(ipv4_enabled=True, ipv4=addresses.ids[alias], ipv6_enabled=True)
                ],
                # Inline and not a ServerNetwork, so that the provider attaches the network when it creates the server.
                # It does so after the server has booted; k3s-role waits for the address. Only set at creation: the
                # provider would otherwise replace the server at every `up` because of the values it reads back. A
                # changed private address in the settings does not disconnect a live node.
                networks=None
                if network.subnet is None
                else [{"subnet_id": network.subnet, "ip": str(node.private_ipv4), "alias_ips": []}],
                firewall_ids=[firewall.id],
                ssh_keys=[key.id for key in keys],
                placement_group_id=placement_groups[assigned[node.hostname]].id.apply(int),
                user_data=self._user_data(alias, node, cluster_init=alias == bootstrapping),
                backups=False,
                labels=LABELS,
                # Hetzner requires equal values. They protect against the console and the API, `protect` against this
                # program. The hook lifts them for a confirmed deletion.
                delete_protection=True,
                rebuild_protection=True,
                opts=self._server_options(alias, depends_on=[created[init_node]] if init_node in created else []),
            )
        self.by_alias = created
        self.register_outputs({"servers": {alias: server.id for alias, server in created.items()}})

    def _server_options(self, alias: str, *, depends_on: Sequence[pulumi.Resource]) -> pulumi.ResourceOptions:
        replaced = alias == self._settings.replacing
        private = ["networks"] if self._network.subnet is not None else []
        # `read_existing_servers` needs the labels of a bootstrapped cluster. On others, firewalls and load balancers of
        # the console may select servers by their labels.
        chosen = CHOSEN_IN_CONSOLE + ([] if self._settings.cluster.bootstrapped else ["labels"])
        return self.child_options(
            # A replacement keeps the old values of ignored properties. It would have the image and the user data of the
            # server that it replaces.
            ignore_changes=chosen if replaced else [*SET_AT_CREATION, *chosen, *private],
            protect=False if replaced else None,
            # The replacement takes over the name and the address.
            delete_before_replace=True,
            depends_on=depends_on,
            hooks=self._hooks,
        )

    def _user_data(self, alias: str, node: Node, *, cluster_init: bool) -> pulumi.Output[str]:
        settings, addresses = self._settings, self._network.addresses
        resolved = pulumi.Output.all(
            address=addresses[alias],
            public_address=self._addresses.ipv4[alias],
            peers=[addresses[peer] for peer in servers(settings.nodes) if peer != alias],
            join_token=self._ca.join_token,
            ca_files=self._ca.files if alias == settings.cluster.init_node else {},
        )
        return pulumi.Output.secret(
            resolved.apply(
                lambda values: user_data(
                    NodeConfig(hostname=node.hostname, role=node.role, cluster_init=cluster_init, **values),
                    cluster=settings.cluster,
                    access=settings.access,
                    registries=registries.configuration(settings),
                )
            )
        )
