"""The machines and the k3s on them, as the settings have them."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, IPvAnyNetwork, ValidationInfo, field_validator

from infra.settings.model import Model
from infra.settings.types import Hostname, K3sVersion, Sha256, some


class Node(Model):
    """One machine. `ipv4` is the address Hetzner is expected to hold for it; a new node has none yet (book, quick facts).

    `private_ipv4` is chosen here and not by Hetzner: a cluster whose nodes are given other addresses is down.
    """

    hostname: Hostname
    role: Literal["server", "agent"] = "server"
    ipv4: IPv4Address | None = None
    private_ipv4: IPv4Address | None = None
    server_type: str = "cx33"
    location: str = "nbg1"
    image: str = "ubuntu-24.04"


def servers(nodes: Mapping[str, Node]) -> Mapping[str, Node]:
    """The nodes that run the control plane."""
    return {alias: node for alias, node in nodes.items() if node.role == "server"}


class Access(Model):
    """Who reaches the nodes besides Cloudflare (book ch04). Off port 22 there is less noise to hide in (book ch20)."""

    ssh_port: Annotated[int, Field(ge=1, le=65535)] = 2222
    operators: Annotated[tuple[IPvAnyNetwork, ...], AfterValidator(some)]

    @property
    def open_to_the_world(self) -> bool:
        return any(network.prefixlen == 0 for network in self.operators)


class ClusterSettings(Model):
    """k3s as it was installed: of a running cluster these are facts, not wishes (book ch02, ch03).

    All its servers must agree on them, or k3s refuses the one that differs. The defaults are those of a new cluster. One that is
    founded here names its `founder`, the alias of its first node; without one, the cluster exists already.
    """

    context: str = "default"
    founder: Hostname | None = None
    # Named here: to_camel makes k3SVersion of it.
    k3s_version: Annotated[K3sVersion, Field(alias="k3sVersion")]
    k3s_sha256: Annotated[Sha256 | None, Field(alias="k3sSha256")] = None
    pod_cidr: IPv4Network
    service_cidr: IPv4Network
    cluster_dns: IPv4Address
    network: Literal["public", "private"] = "private"
    private_range: IPv4Network = IPv4Network("10.0.0.0/24")
    flannel_backend: Literal["vxlan", "wireguard-native"] = "wireguard-native"
    secrets_encryption: bool = True

    @property
    def founded_here(self) -> bool:
        """Whether this program makes the cluster's authority and its kubeconfig."""
        return self.founder is not None

    @field_validator("service_cidr")
    @classmethod
    def _apart(cls, value: IPv4Network, info: ValidationInfo) -> IPv4Network:
        pods = info.data.get("pod_cidr")
        if pods is not None and value.overlaps(pods):
            raise ValueError(f"must not overlap podCidr {pods}")
        return value

    @field_validator("cluster_dns")
    @classmethod
    def _a_service(cls, value: IPv4Address, info: ValidationInfo) -> IPv4Address:
        services = info.data.get("service_cidr")
        if services is not None and value not in services:
            raise ValueError(f"must lie in serviceCidr {services}")
        return value
