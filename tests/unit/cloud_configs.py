"""The cloud-config of each kind of node, parsed: its files, and the configuration of k3s."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import yaml

from infra.machines.cloud_init import user_data
from infra.machines.node_config import NodeConfig
from infra.settings.topology import Access, ClusterSettings

PASSWORD = "password-of-the-cluster"
ACCESS = Access.model_validate({"operators": ["203.0.113.0/24"]})

CloudConfig = Mapping[str, Any]


def server() -> NodeConfig:
    """A server that joins an existing cluster."""
    return NodeConfig(
        hostname="ubuntu-1",
        role="server",
        address="10.0.0.11",
        public_address="203.0.113.1",
        peers=["10.0.0.12", "10.0.0.13"],
        cluster_init=False,
        join_token=f"K10{'a' * 64}::server:{PASSWORD}",
        ca_files={},
    )


def cluster(**changes: object) -> ClusterSettings:
    settings = {
        "initNode": "hetzner1",
        "k3sVersion": "v1.34.6+k3s1",
        "podCidr": "10.42.0.0/16",
        "serviceCidr": "10.43.0.0/16",
        "clusterDns": "10.43.0.10",
    }
    return ClusterSettings.model_validate(settings | changes)


def cloud_config(node: NodeConfig, settings: ClusterSettings | None = None) -> CloudConfig:
    loaded: CloudConfig = yaml.safe_load(user_data(node, cluster=settings or cluster(), access=ACCESS))
    return loaded


def files(document: CloudConfig) -> Mapping[str, str]:
    """The content of each file that cloud-init writes, by path."""
    return {file["path"]: file["content"] for file in document["write_files"]}


def k3s_config(document: CloudConfig) -> Mapping[str, Any]:
    """The configuration file of k3s."""
    loaded: Mapping[str, Any] = yaml.safe_load(files(document)["/etc/rancher/k3s/config.yaml"])
    return loaded


def variants(init_node: NodeConfig) -> Iterator[tuple[str, str]]:
    """A name and the user data of each kind of node, for each network and flannel backend."""
    roles = {"init-node": init_node, "server": server(), "agent": replace(server(), role="agent")}
    for (name, node), network, backend in itertools.product(
        roles.items(), ("public", "private"), ("vxlan", "wireguard-native")
    ):
        address = node.public_address if network == "public" else node.address
        settings = cluster(network=network, flannelBackend=backend)
        yield f"{name}-{network}-{backend}", user_data(replace(node, address=address), cluster=settings, access=ACCESS)
