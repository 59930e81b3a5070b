"""The metrics server of k3s, from which the autoscaler gets the CPU usage of pods.

In production it is a pod. Here it runs next to the nodes, like the control plane: its image would have to be imported
on every node, and the start of a world would take longer.
"""

import base64
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rehearsal import pki
from rehearsal.control_plane.flags import ControlPlaneConfig
from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.control_plane.nodes import Manifest
from rehearsal.loopback import probe
from rehearsal.real_nodes import network
from rehearsal.real_nodes.addons import NAMESPACE, cluster_role, cluster_role_binding, read_rule
from tools.cache import executable

NAME = "metrics-server"
USER = "rehearsal:metrics-server"
PORT = 4443
APISERVER_FLAGS = (
    # Connect to the endpoint of the Service: cluster IPs exist on nodes only, and the API server is not on a node.
    "enable-aggregator-routing=true",
)
REGISTRATION = "metrics-api"
"""The name of the process that registers the API."""
RETRY_SECONDS = 1.0
_CA = "server-ca"


def command(config: ControlPlaneConfig) -> list[str]:
    """The command line. Issues the certificates."""
    folder = config.pki / NAME
    folder.mkdir(exist_ok=True)
    server_ca = pki.CertificateAuthority.load_or_create(config.pki, _CA)
    client_ca = pki.CertificateAuthority.load_or_create(config.pki, "client-ca")
    serving = server_ca.issue(folder, "serving", common_name=NAME, hosts=[f"{NAME}.{NAMESPACE}.svc", network.ROUTER])
    client = client_ca.issue(folder, "client", common_name=USER)
    kubeconfig = folder / "kubeconfig"
    content = pki.kubeconfig(
        server=config.server_url, ca=server_ca.files, client=client, context=config.network.context
    )
    pki.write_private(kubeconfig, content.encode())
    return [
        str(executable(NAME)),
        *(f"--{purpose}kubeconfig={kubeconfig}" for purpose in ("", "authentication-", "authorization-")),
        f"--bind-address={network.ROUTER}",
        f"--secure-port={PORT}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--kubelet-certificate-authority={server_ca.files.certificate}",
        # The arguments of k3s.
        "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
        "--kubelet-use-node-status-port",
        "--metric-resolution=15s",
    ]


def manifests() -> Iterator[Manifest]:
    """All objects except the APIService."""
    node_metrics = {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]}
    yield from cluster_role(USER, kind="User", rules=[node_metrics, read_rule("", "pods", "nodes")])
    yield cluster_role_binding(f"{USER}:auth-delegator", role="system:auth-delegator", kind="User", name=USER)
    group = "rbac.authorization.k8s.io"
    yield {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"{NAME}-auth-reader", "namespace": NAMESPACE},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "extension-apiserver-authentication-reader"},
        "subjects": [{"kind": "User", "name": USER, "apiGroup": group}],
    }
    ports = [{"name": "https", "port": 443}]
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {"ports": ports},
    }
    yield {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": NAME},
        },
        "addressType": "IPv4",
        "ports": [{**port, "port": PORT} for port in ports],
        "endpoints": [{"addresses": [network.ROUTER], "conditions": {"ready": True}}],
    }


def api_service(ca: bytes) -> Manifest:
    """Registers the API. `ca` is the certificate of the authority that issued the server's certificate."""
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {
            "service": {"name": NAME, "namespace": NAMESPACE},
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "caBundle": base64.b64encode(ca).decode(),
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
    }


def register_when_ready(kubectl: Kubectl, ca: Path) -> None:
    """Registers the API as soon as the metrics server has measured the nodes, which takes half a minute.

    The start of a world does not wait for it. While a registered API does not respond, clients that list all resources
    report an error.
    """
    tls = ssl.create_default_context(cafile=ca)
    while True:
        try:
            probe(f"https://{network.ROUTER}:{PORT}/readyz", timeout=5, tls=tls)
        except OSError:
            time.sleep(RETRY_SECONDS)
        else:
            break
    kubectl.apply([api_service(ca.read_bytes())])


def registration_arguments(config: ControlPlaneConfig, kubeconfig: Path) -> list[str]:
    """The command line of the process that runs `register_when_ready`."""
    return [sys.executable, "-m", __name__, str(kubeconfig), str(pki.key_pair(config.pki, _CA).certificate)]


if __name__ == "__main__":
    register_when_ready(Kubectl(Path(sys.argv[1])), Path(sys.argv[2]))
