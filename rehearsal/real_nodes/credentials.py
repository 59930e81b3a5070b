"""The certificates and kubeconfigs of a node's programs."""

from collections.abc import Mapping

from rehearsal import pki
from rehearsal.control_plane.flags import ControlPlaneConfig
from rehearsal.real_nodes.addons import KUBE_ROUTER
from rehearsal.real_nodes.node_config import PKI, NodeConfig


def files(node: NodeConfig, control_plane: ControlPlaneConfig) -> Mapping[str, str]:
    """The content of each file by its path on the node. The certificates are issued anew at each start."""
    folder = control_plane.pki / "nodes" / node.hostname
    folder.mkdir(parents=True, exist_ok=True)
    server = pki.CertificateAuthority.load_or_create(control_plane.pki, "server-ca")
    client = pki.CertificateAuthority.load_or_create(control_plane.pki, "client-ca")
    serving = server.issue(folder, "serving", common_name=node.hostname, hosts=[node.hostname, node.address])
    clients = {
        # The user name and group that the Node authorizer and the NodeRestriction admission plugin require.
        "kubelet": client.issue(
            folder, "kubelet", common_name=f"system:node:{node.hostname}", organization="system:nodes"
        ),
        "kube-proxy": client.issue(folder, "kube-proxy", common_name="system:kube-proxy"),
        "kube-router": client.issue(folder, "kube-router", common_name=KUBE_ROUTER),
    }
    return {
        f"{PKI}/client-ca.crt": client.files.certificate.read_text(),
        f"{PKI}/serving.crt": serving.certificate.read_text(),
        f"{PKI}/serving.key": serving.key.read_text(),
        **{
            f"{PKI}/{name}.kubeconfig": pki.kubeconfig(
                server=control_plane.server_url, ca=server.files, client=identity, context=control_plane.network.context
            )
            for name, identity in clients.items()
        },
    }
