"""What nodes are told, taken apart: user data of every kind of node, and the files in it."""

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

Told = Mapping[str, Any]


def server() -> NodeConfig:
    """One that joins."""
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


def told(boot: NodeConfig, settings: ClusterSettings | None = None) -> Told:
    loaded: Told = yaml.safe_load(user_data(boot, cluster=settings or cluster(), access=ACCESS))
    return loaded


def files(document: Told) -> Mapping[str, str]:
    """What is written, by path."""
    return {one["path"]: one["content"] for one in document["write_files"]}


def configuration(document: Told) -> Mapping[str, Any]:
    """What k3s reads."""
    loaded: Mapping[str, Any] = yaml.safe_load(files(document)["/etc/rancher/k3s/config.yaml"])
    return loaded


def variants(founder: NodeConfig) -> Iterator[tuple[str, str]]:
    """User data of every kind of node in every kind of cluster, by a name."""
    roles = {"founder": founder, "server": server(), "agent": replace(server(), role="agent")}
    for (name, boot), network, backend in itertools.product(
        roles.items(), ("public", "private"), ("vxlan", "wireguard-native")
    ):
        address = boot.public_address if network == "public" else boot.address
        settings = cluster(network=network, flannelBackend=backend)
        yield f"{name}-{network}-{backend}", user_data(replace(boot, address=address), cluster=settings, access=ACCESS)
