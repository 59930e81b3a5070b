"""Makes the control plane available at the addresses of the nodes, as in production, where every node is a server.

The control plane runs next to the nodes. On each node, a proxy listens on the ports of a k3s server. Network policies
and scrape jobs therefore refer to the same addresses and ports as in production.
"""

from collections.abc import Iterator, Sequence

from rehearsal.control_plane.flags import ControlPlaneConfig
from rehearsal.control_plane.nodes import Manifest
from rehearsal.real_nodes import network
from rehearsal.real_nodes.node_config import NodeConfig

API = 6443
"""The port of the Kubernetes API on a server of k3s."""
METRICS = 2381
"""The port of etcd's metrics, without TLS, as k3s serves them with `etcd-expose-metrics`."""
APISERVER_FLAGS = (
    # The API server would add its own address, which no network policy allows.
    "endpoint-reconciler-type=none",
)


def etcd_flags(*, monitored: bool) -> list[str]:
    """The options that make etcd's metrics available to the nodes.

    etcd only measures the writes to the disk that it waits for. Rehearsals do not wait unless they are `monitored`.
    """
    urls = f"http://{network.ROUTER}:{METRICS}"
    return [f"listen-metrics-urls={urls}", *(["unsafe-no-fsync=false"] if monitored else [])]


def command(node: NodeConfig, config: ControlPlaneConfig) -> list[str]:
    """The command line of a node's proxy."""
    targets = {API: config.ports["apiserver"], METRICS: METRICS}
    return [
        "/opt/api-proxy/api-proxy",
        *(f"{node.address}:{port}={network.ROUTER}:{target}" for port, target in targets.items()),
    ]


def manifests(nodes: Sequence[NodeConfig], *, cluster_ip: str) -> Iterator[Manifest]:
    """The Service `kubernetes`, whose endpoints are the proxies.

    In production, the servers that are alive remove the endpoint of a lost one. These endpoints are static: pods use
    only the proxy of their own node.
    """
    metadata = {"name": "kubernetes", "namespace": "default"}
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**metadata, "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {
            "clusterIP": cluster_ip,
            "internalTrafficPolicy": "Local",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": API}],
        },
    }
    yield {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": "IPv4",
        "ports": [{"name": "https", "port": API, "protocol": "TCP"}],
        "endpoints": [
            {"addresses": [node.address], "nodeName": node.hostname, "conditions": {"ready": True}} for node in nodes
        ],
    }
