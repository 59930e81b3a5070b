"""The configuration of one node, from which its user data is generated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class NodeConfig:
    """The values that differ between nodes.

    Attributes:
        address: where other nodes reach this one: its private or its public address, depending on `cluster.network`.
        peers: the same kind of address of all other servers.
        cluster_init: whether the node may bootstrap the cluster when no peer responds.
        join_token: in the secure format, K10<hash of the CA>::server:<password>.
        ca_files: PEM by file name below /var/lib/rancher/k3s/server/tls; empty except for the init node.
    """

    hostname: str
    role: Literal["server", "agent"]
    address: str
    public_address: str
    peers: Sequence[str]
    cluster_init: bool
    join_token: str
    ca_files: Mapping[str, str]
