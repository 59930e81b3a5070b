"""Settings of the servers, of who may reach them, and of the k3s that runs on them."""

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from infra.k3s_charts import K3S_CHARTS, minor
from infra.settings.model import Effect, Model
from infra.settings.shared_options import SharedOption
from infra.settings.types import (
    Address,
    Domain,
    Hostname,
    Ipv4Network,
    K3sVersion,
    Network,
    Port,
    Sha256,
    Text,
    not_empty,
)


class Node(Model):
    """One server at Hetzner. `ipv4` is the address that its primary IP must have; a new node has none yet.

    `private_ipv4` is set here and not assigned by Hetzner: the cluster stops working when the addresses of its nodes
    change.
    """

    hostname: Hostname
    role: Annotated[Literal["server", "agent"], Effect.NEW_NODES] = "server"
    ipv4: Annotated[Address | None, Effect.ALWAYS] = None
    private_ipv4: Annotated[Address | None, Effect.NEW_NODES] = None
    server_type: Annotated[Text, Effect.ALWAYS] = "cx33"
    location: Annotated[Text, Effect.NEW_NODES] = "nbg1"
    image: Annotated[Text, Effect.NEW_NODES] = "ubuntu-24.04"


def servers(nodes: Mapping[str, Node]) -> Mapping[str, Node]:
    """The nodes that run the control plane."""
    return {alias: node for alias, node in nodes.items() if node.role == "server"}


class Access(Model):
    """Who may reach SSH and the Kubernetes API. Other SSH ports than 22 get fewer automated login attempts."""

    ssh_port: Port = 2222
    operators: Annotated[tuple[Network, ...], AfterValidator(not_empty), Effect.ALWAYS]

    @property
    def open_to_the_world(self) -> bool:
        return any(network.prefixlen == 0 for network in self.operators)


class ClusterSettings(Model):
    """The options of k3s. For a running cluster they must match its installation.

    All servers must have the same values of the shared options (infra/settings/shared_options.py). `make adopt` reads
    them from the running servers. The defaults are those of a new cluster. `init_node` is the alias of the node that
    bootstraps the cluster (`k3s server --cluster-init`). It is None for a cluster that existed before this program.
    """

    context: Annotated[Text, Effect.ALWAYS] = "default"
    init_node: Hostname | None = None
    # `to_camel` would make "k3SVersion" of it.
    k3s_version: Annotated[K3sVersion, Field(alias="k3sVersion"), Effect.NEW_NODES]
    # Only read while k3s is installed. A running node needs no change.
    k3s_sha256: Annotated[Sha256 | None, Field(alias="k3sSha256"), Effect.ALWAYS] = None
    pod_cidr: Annotated[Ipv4Network, SharedOption(name="cluster-cidr", default="10.42.0.0/16")]
    service_cidr: Annotated[Ipv4Network, SharedOption(name="service-cidr", default="10.43.0.0/16")]
    cluster_dns: Annotated[Address, SharedOption(name="cluster-dns", default=None)]
    cluster_domain: Annotated[
        Domain, SharedOption(name="cluster-domain", default="cluster.local", response_field="ClusterDomain")
    ] = "cluster.local"
    network: Literal["public", "private"] = "private"
    private_range: Ipv4Network = IPv4Network("10.0.0.0/24")
    flannel_backend: Annotated[
        Literal["vxlan", "wireguard-native"], SharedOption(name="flannel-backend", default="vxlan")
    ] = "wireguard-native"
    flannel_external_ip: Annotated[
        bool,
        Effect.MANUAL,
        SharedOption(name="flannel-external-ip", default=False, response_field="FlannelExternalIP"),
    ] = False
    flannel_ipv6_masq: Annotated[
        bool, Effect.MANUAL, SharedOption(name="flannel-ipv6-masq", default=False, response_field="FlannelIPv6Masq")
    ] = False
    flannel_ip_masq_disable_random_fully: Annotated[
        bool,
        Effect.MANUAL,
        SharedOption(
            name="flannel-ip-masq-disable-random-fully",
            default=False,
            response_field="FlannelIPMasqDisableRandomFully",
        ),
    ] = False
    secrets_encryption: Annotated[bool, Effect.MANUAL, SharedOption(name="secrets-encryption", default=False)] = True
    secrets_encryption_provider: Annotated[
        Literal["aescbc", "secretbox"],
        Effect.MANUAL,
        SharedOption(name="secrets-encryption-provider", default="aescbc", response_field="EncryptProvider"),
    ] = "aescbc"
    disable_cloud_controller: Annotated[
        bool, Effect.MANUAL, SharedOption(name="disable-cloud-controller", default=False, response_field="DisableCCM")
    ] = False
    # With the load balancer, a Service of type LoadBalancer opens its ports on every node.
    disable_service_lb: Annotated[
        bool,
        Effect.MANUAL,
        SharedOption(name="disable", component="servicelb", default=False, response_field="DisableServiceLB"),
    ] = True
    egress_selector_mode: Annotated[
        Literal["agent", "cluster", "pod", "disabled"],
        Effect.MANUAL,
        SharedOption(name="egress-selector-mode", default="agent", response_field="EgressSelectorMode"),
    ] = "agent"
    embedded_registry: Annotated[
        bool, Effect.MANUAL, SharedOption(name="embedded-registry", default=False, response_field="EmbeddedRegistry")
    ] = False
    supervisor_metrics: Annotated[
        bool, Effect.MANUAL, SharedOption(name="supervisor-metrics", default=False, response_field="SupervisorMetrics")
    ] = False
    # Not shared: servers with and without it may be in one cluster, and vmagent finds those that have it.
    etcd_expose_metrics: Annotated[bool, Effect.NEW_NODES] = True

    @field_validator("k3s_version")
    @classmethod
    def _charts_are_known(cls, value: str) -> str:
        if minor(value) not in K3S_CHARTS:
            raise ValueError(
                f"the charts of k3s {minor(value)} are not known; known are {', '.join(K3S_CHARTS)}. To add a minor "
                "version, see docs/upgrades.md"
            )
        return value

    @property
    def bootstrapped(self) -> bool:
        """Whether this program bootstraps the cluster. It then also creates its CA and its kubeconfig."""
        return self.init_node is not None

    @field_validator("service_cidr")
    @classmethod
    def _no_overlap_with_pods(cls, value: IPv4Network, info: ValidationInfo) -> IPv4Network:
        pods = info.data.get("pod_cidr")
        if pods is not None and value.overlaps(pods):
            raise ValueError(f"must not overlap podCidr {pods}")
        return value

    @field_validator("cluster_dns")
    @classmethod
    def _in_service_cidr(cls, value: Address, info: ValidationInfo) -> Address:
        services = info.data.get("service_cidr")
        if services is not None and value not in services:
            raise ValueError(f"must be in serviceCidr {services}")
        return value

    @field_validator("flannel_external_ip")
    @classmethod
    def _external_address_is_reachable(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("network") == "private":
            raise ValueError(
                "contradicts network private: the pods of two nodes would connect through their public addresses, "
                "where the firewall closes the port of flannel"
            )
        return value
