"""The configuration of a real node's programs: the options that k3s sets for the programs that it embeds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import islice

import yaml

from rehearsal.external_authority import external_authority
from rehearsal.images.trust import TRUSTED_CERTIFICATES

SANDBOX = "honeydue.example/rehearsal/sandbox:1"
"""The pause image, which holds a pod's namespaces. It is built here, because nothing can be pulled."""
CONTAINERD = "/run/containerd/containerd.sock"
REGISTRIES = "/etc/containerd/certs.d"
"""containerd's `config_path`: a folder for each registry, with its hosts.toml. containerd reads it at each pull."""
PKI = "/etc/kubernetes"
MTU = 1450
"""The MTU of pods with flannel: 1500 bytes less the header of VXLAN."""


_HEALTH_PORTS = {"kubelet": 10248, "kube-proxy": 10256, "kube-router": 20244}
"""The default ports of the health endpoints."""


@dataclass(frozen=True, kw_only=True)
class NodeConfig:
    """The configuration of one node, taken from the stack's settings."""

    hostname: str
    address: str
    pods: IPv4Network
    """The pod CIDR of this node."""
    cluster: IPv4Network
    """The cluster CIDR: the pods of all nodes."""
    services: str
    """The service CIDR."""
    dns: str
    """The cluster IP of the DNS Service."""


def pod_ranges(cluster_cidr: str, nodes: int) -> list[IPv4Network]:
    """The pod CIDR of each node, assigned as k3s does: in order, with its default prefix length of 24."""
    return [*islice(IPv4Network(cluster_cidr).subnets(new_prefix=24), nodes)]


def files(node: NodeConfig) -> Mapping[str, str]:
    """The content of each configuration file by its path on the node."""
    return {
        "/etc/hostname": f"{node.hostname}\n",
        "/etc/hosts": f"127.0.0.1 localhost\n{node.address} {node.hostname}\n",
        # Empty: the node itself has no DNS server. Pods use the cluster's DNS, which knows the external names.
        "/etc/resolv.conf": "",
        "/etc/containerd/config.toml": _CONTAINERD_CONFIG,
        # containerd verifies registries with it.
        TRUSTED_CERTIFICATES: external_authority().files.certificate.read_text(),
        "/etc/cni/net.d/10-flannel.conflist": json.dumps(_pod_network(node)),
        f"{PKI}/kubelet.yaml": yaml.safe_dump(_kubelet_config(node)),
        f"{PKI}/kube-proxy.yaml": yaml.safe_dump(_kube_proxy_config(node)),
    }


_CONTAINERD_CONFIG = f"""
version = 2
# Snapshotters that nothing uses, and that log errors when the kernel or a tool lacks support for them.
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper",
]
[grpc]
address = "{CONTAINERD}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{SANDBOX}"
# Without CAP_SYS_RESOURCE, root cannot lower an OOM score: sandboxes would fail with "can't get final child's PID".
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{REGISTRIES}"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "/etc/cni/net.d"
"""


def _pod_network(node: NodeConfig) -> Mapping[str, object]:
    """The CNI configuration that flannel delegates to the bridge plugin.

    The bridge does not masquerade: the network policies of other nodes must see the pod's own address.
    """
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "mtu": MTU,
        "isDefaultGateway": True,
        "forceAddress": True,
        # Lets a pod reach itself through its Service.
        "hairpinMode": True,
        "ipMasq": False,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": str(node.pods)}]]},
    }
    return {"cniVersion": "1.0.0", "name": "cbr0", "plugins": [bridge]}


def masquerade(node: NodeConfig) -> str:
    """Input of iptables-restore: packets that leave the cluster get the node's source address, as with flannel."""
    rule = f"-A POSTROUTING -s {node.pods} ! -d {node.cluster} -m comment --comment flanneld -j MASQUERADE"
    return f"*nat\n{rule}\nCOMMIT\n"


def _kubelet_config(node: NodeConfig) -> Mapping[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
        "authentication": {"x509": {"clientCAFile": f"{PKI}/client-ca.crt"}},
        "tlsCertFile": f"{PKI}/serving.crt",
        "tlsPrivateKeyFile": f"{PKI}/serving.key",
        # The rehearsal probes it from outside of the node. The default is the node's loopback.
        "healthzBindAddress": node.address,
        "clusterDNS": [node.dns],
        "clusterDomain": "cluster.local",
        "resolvConf": "/etc/resolv.conf",
        "providerID": f"k3s://{node.hostname}",
        "cgroupDriver": "cgroupfs",
        # The host may have swap, which the node cannot turn off.
        "failSwapOn": False,
        # The node has the capacity of the host, and its control groups have no limits.
        "enforceNodeAllocatable": [],
        # The disk is the host's and may be nearly full. A removed image could not be pulled again.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        # The default is below /usr, which is read-only.
        "volumePluginDir": "/var/lib/kubelet/plugins",
        # Shorter than the defaults, which suit large clusters: a rehearsal waits for every change.
        "syncFrequency": "10s",
        "serializeImagePulls": False,
    }


def _kube_proxy_config(node: NodeConfig) -> Mapping[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": f"{PKI}/kube-proxy.kubeconfig"},
        "mode": "iptables",
        "clusterCIDR": str(node.cluster),
        "hostnameOverride": node.hostname,
        "healthzBindAddress": f"{node.address}:{_HEALTH_PORTS['kube-proxy']}",
        # The limits of connection tracking belong to the host: kube-proxy must not change them.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        # The default is 1 s between two changes of a Service, and up to 30 s after a failure.
        "iptables": {"minSyncPeriod": "100ms"},
    }


def kubelet(node: NodeConfig) -> list[str]:
    """The command line of the kubelet."""
    return [
        "/opt/kubelet/kubelet",
        f"--config={PKI}/kubelet.yaml",
        f"--kubeconfig={PKI}/kubelet.kubeconfig",
        f"--hostname-override={node.hostname}",
        f"--node-ip={node.address}",
    ]


def kube_proxy(_: NodeConfig) -> list[str]:
    """The command line of kube-proxy."""
    return ["/opt/kubelet/kube-proxy", f"--config={PKI}/kube-proxy.yaml"]


def health_url(node: NodeConfig, program: str) -> str:
    """The health endpoint of a program. kube-proxy and kube-router return 200 when their rules are in force."""
    return f"http://{node.address}:{_HEALTH_PORTS[program]}/healthz"


def kube_router(node: NodeConfig) -> list[str]:
    """The command line of kube-router, the network policy controller."""
    return [
        "/opt/kube-router/kube-router",
        f"--kubeconfig={PKI}/kube-router.kubeconfig",
        f"--hostname-override={node.hostname}",
        f"--service-cluster-ip-range={node.services}",
        # Only network policies, as in k3s: flannel routes, and kube-proxy implements Services.
        "--run-firewall=true",
        "--run-router=false",
        "--run-service-proxy=false",
        "--run-loadbalancer=false",
    ]
