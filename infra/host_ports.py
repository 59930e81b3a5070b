"""The ports on which nodes serve each other and the operators. ops/ reads them as well, so no SDK is loaded here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SSH_PURPOSE = "SSH from operators"


@dataclass(frozen=True, kw_only=True)
class HostPort:
    """A port or a range of ports, as in "2379-2380". Its purpose is the description of its rule in the firewall."""

    purpose: str
    protocol: Literal["tcp", "udp"]
    port: str


def ssh(port: int | str) -> HostPort:
    """sshd's port, which is a setting."""
    return HostPort(purpose=SSH_PURPOSE, protocol="tcp", port=str(port))


API = HostPort(purpose="Kubernetes API from operators and nodes", protocol="tcp", port="6443")
ETCD = HostPort(purpose="etcd between nodes", protocol="tcp", port="2379-2380")
KUBELET = HostPort(purpose="kubelet between nodes", protocol="tcp", port="10250")
FLANNEL: Mapping[str, HostPort] = {
    backend: HostPort(purpose=f"Flannel {backend} between nodes", protocol="udp", port=port)
    for backend, port in {"vxlan": "8472", "wireguard-native": "51820-51821"}.items()
}
"""By the backend. https://docs.k3s.io/installation/requirements#networking lists all of these ports."""
EMBEDDED_REGISTRY = HostPort(purpose="k3s' registry mirror between nodes", protocol="tcp", port="5001")
"""With `embedded-registry`. The nodes find each other on this port, and serve images on that of the API."""
BETWEEN_NODES = (API, ETCD, KUBELET, *FLANNEL.values())
