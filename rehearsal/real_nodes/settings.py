"""What the programs of a real node are told, as k3s tells them what it embeds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import islice

import yaml

SANDBOX = "honeydue.example/rehearsal/sandbox:1"
"""What holds a pod's namespaces: nothing is pulled, so it is one of our own."""
CONTAINERD = "/run/containerd/containerd.sock"
PKI = "/etc/kubernetes"
MTU = 1450
"""What flannel leaves a pod of 1500 bytes on a VXLAN."""


_HEALTH = {"kubelet": 10248, "kube-proxy": 10256, "kube-router": 20244}
"""The ports that they have everywhere."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the settings of the stack say of one node."""

    hostname: str
    address: str
    pods: IPv4Network
    """Its own range."""
    cluster: IPv4Network
    """All pods'."""
    services: str
    dns: str


def ranges(pods: str, nodes: int) -> list[IPv4Network]:
    """The range of each node's pods, given as k3s gives them: to the first the first, each of its default size."""
    return [*islice(IPv4Network(pods).subnets(new_prefix=24), nodes)]


def files(node: Setting) -> Mapping[str, str]:
    """By path on the node's disk."""
    return {
        "/etc/hostname": f"{node.hostname}\n",
        "/etc/hosts": f"127.0.0.1 localhost\n{node.address} {node.hostname}\n",
        # There is nobody to ask: pods ask the cluster's DNS, which knows what there is outside.
        "/etc/resolv.conf": "",
        "/etc/containerd/config.toml": _CONTAINERD_CONFIG,
        "/etc/cni/net.d/10-flannel.conflist": json.dumps(_pod_network(node)),
        f"{PKI}/kubelet.yaml": yaml.safe_dump(_kubelet_settings(node)),
        f"{PKI}/kube-proxy.yaml": yaml.safe_dump(_kube_proxy_settings(node)),
    }


_CONTAINERD_CONFIG = f"""
version = 2
# The only plugin that this kernel or a missing tool would make complain, and that nothing here uses.
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
address = "{CONTAINERD}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{SANDBOX}"
# Without it every sandbox ends with "can't get final child's PID", where root may not lower a score (no CAP_SYS_RESOURCE).
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "/etc/cni/net.d"
"""


def _pod_network(node: Setting) -> Mapping[str, object]:
    """As flannel delegates: no masquerading by the bridge, which would hide from a policy of another node which pod speaks."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "mtu": MTU,
        "isDefaultGateway": True,
        "forceAddress": True,
        # A pod may reach itself by its Service.
        "hairpinMode": True,
        "ipMasq": False,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": str(node.pods)}]]},
    }
    return {"cniVersion": "1.0.0", "name": "cbr0", "plugins": [bridge]}


def masquerade(node: Setting) -> str:
    """For iptables-restore: to whom is outside, a pod speaks as its node; as flannel does it."""
    rule = f"-A POSTROUTING -s {node.pods} ! -d {node.cluster} -m comment --comment flanneld -j MASQUERADE"
    return f"*nat\n{rule}\nCOMMIT\n"


def _kubelet_settings(node: Setting) -> Mapping[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
        "authentication": {"x509": {"clientCAFile": f"{PKI}/client-ca.crt"}},
        "tlsCertFile": f"{PKI}/serving.crt",
        "tlsPrivateKeyFile": f"{PKI}/serving.key",
        # Asked from the world's side; the default is the node's loopback.
        "healthzBindAddress": node.address,
        "clusterDNS": [node.dns],
        "clusterDomain": "cluster.local",
        "resolvConf": "/etc/resolv.conf",
        "providerID": f"k3s://{node.hostname}",
        "cgroupDriver": "cgroupfs",
        # Whether this machine swaps is not the node's to say.
        "failSwapOn": False,
        # The node is no larger than this machine, and no group of it is given limits.
        "enforceNodeAllocatable": [],
        # The disk is this machine's: how full it is says nothing of the node, and an image that is removed cannot be pulled again.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        # The default is below /usr, which is read-only.
        "volumePluginDir": "/var/lib/kubelet/plugins",
        # A rehearsal waits for every change; the defaults are for large clusters.
        "syncFrequency": "10s",
        "serializeImagePulls": False,
    }


def _kube_proxy_settings(node: Setting) -> Mapping[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": f"{PKI}/kube-proxy.kubeconfig"},
        "mode": "iptables",
        "clusterCIDR": str(node.cluster),
        "hostnameOverride": node.hostname,
        "healthzBindAddress": f"{node.address}:{_HEALTH['kube-proxy']}",
        # How many connections are tracked is the whole machine's setting, not this node's.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        # The default waits up to 30 s after a failure, and at least 1 s between two changes of a Service.
        "iptables": {"minSyncPeriod": "100ms"},
    }


def kubelet(node: Setting) -> list[str]:
    """Its command line, as those below."""
    return [
        "/opt/kubelet/kubelet",
        f"--config={PKI}/kubelet.yaml",
        f"--kubeconfig={PKI}/kubelet.kubeconfig",
        f"--hostname-override={node.hostname}",
        f"--node-ip={node.address}",
    ]


def kube_proxy(_: Setting) -> list[str]:
    return ["/opt/kubelet/kube-proxy", f"--config={PKI}/kube-proxy.yaml"]


def health(node: Setting, program: str) -> str:
    """Where that program answers with 200 when it works: kube-proxy and kube-router when their rules are in force."""
    return f"http://{node.address}:{_HEALTH[program]}/healthz"


def kube_router(node: Setting) -> list[str]:
    return [
        "/opt/kube-router/kube-router",
        f"--kubeconfig={PKI}/kube-router.kubeconfig",
        f"--hostname-override={node.hostname}",
        f"--service-cluster-ip-range={node.services}",
        # Policies alone, as in k3s: routes are flannel's there, Services kube-proxy's.
        "--run-firewall=true",
        "--run-router=false",
        "--run-service-proxy=false",
        "--run-loadbalancer=false",
    ]
