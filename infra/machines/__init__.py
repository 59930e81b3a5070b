"""Hetzner Cloud: addresses that outlive servers, network, firewall, the CA of the cluster, servers."""

from infra.machines.addresses import NodeAddresses
from infra.machines.ca import ClusterCA
from infra.machines.creation import server_hooks
from infra.machines.deletion import deletion_hooks
from infra.machines.firewall import Firewall
from infra.machines.network import NodeNetwork
from infra.machines.servers import Servers

__all__ = ["ClusterCA", "Firewall", "NodeAddresses", "NodeNetwork", "Servers", "deletion_hooks", "server_hooks"]
