"""The script that decides whether a node starts, joins, bootstraps or waits, against HTTPS servers on loopback."""

import shlex
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.unit.machine import (
    PEER_ADDRESSES,
    SHARED_OPTIONS,
    CreateNode,
    K3s,
    Peer,
    assert_joined,
    wait_for_message,
    wait_for_text,
)

OWN_DATA = {
    "server": "var/lib/rancher/k3s/server/db/etcd/member/wal",
    "agent": "var/lib/rancher/k3s/agent/client-ca.crt",
}
"""A file that k3s writes at its first start, by role."""


@pytest.mark.parametrize("role", ["server", "agent"])
def test_a_node_joins_through_the_peer_that_responds(
    create_node: CreateNode, k3s_cluster: K3s, k3s_peers: Sequence[Peer], role: str
) -> None:
    node = create_node(role=role)
    with k3s_peers[1].serve(k3s_cluster):
        assert node.run("k3s-role") == 0
    # An agent has no options of servers.
    options = SHARED_OPTIONS if role == "server" else {}
    assert_joined(node, through=PEER_ADDRESSES[1], token=k3s_cluster.token, options=options)


@pytest.mark.parametrize(
    ("config", "options"),
    [
        (b'{"DisableServiceLB": false}', {"disable": []}),
        (b'{"ClusterDomain": "cluster.local"}', {"cluster-domain": "cluster.local"}),
        (b'{"EgressSelectorMode": "", "EncryptProvider": null}', {}),
        (
            b'{"ClusterDomain": "a: \\"b", "DisableServiceLB": true, "EmbeddedRegistry": true, "DisableCCM": false}',
            {
                "cluster-domain": 'a: "b',
                "disable": ["servicelb"],
                "embedded-registry": True,
                "disable-cloud-controller": False,
            },
        ),
    ],
)
def test_a_server_joins_with_the_shared_options_of_its_peers(
    create_node: CreateNode, k3s_cluster: K3s, k3s_peers: Sequence[Peer], config: bytes, options: Mapping[str, object]
) -> None:
    """k3s refuses a server that differs from the others in one of them. They override those of config.yaml."""
    node = create_node()
    with k3s_peers[0].serve(replace(k3s_cluster, config=config)):
        assert node.run("k3s-role") == 0
    assert_joined(node, through=PEER_ADDRESSES[0], token=k3s_cluster.token, options=options)


@pytest.mark.parametrize("config", [b"", b"<html>", b"[]"])
def test_a_server_waits_while_its_peer_does_not_return_its_configuration(
    create_node: CreateNode, k3s_cluster: K3s, k3s_peers: Sequence[Peer], config: bytes
) -> None:
    node = create_node()
    with k3s_peers[0].serve(replace(k3s_cluster, config=config)):
        process = node.start("k3s-role")
        wait_for_message(node, "127.0.6.2 is a server of this cluster, but does not return its configuration")
    process.terminate()
    process.wait(30)
    assert not node.role.exists()


def test_an_init_node_joins_if_a_server_of_the_cluster_responds(
    create_node: CreateNode, k3s_cluster: K3s, k3s_peers: Sequence[Peer]
) -> None:
    node = create_node(cluster_init=True)
    with k3s_peers[0].serve(k3s_cluster):
        assert node.run("k3s-role") == 0
    assert_joined(node, through=PEER_ADDRESSES[0], token=k3s_cluster.token)


def test_an_init_node_bootstraps_if_no_peer_responds(create_node: CreateNode, k3s_cluster: K3s) -> None:
    node = create_node(cluster_init=True)
    assert node.run("k3s-role") == 0
    assert node.settings == {
        "cluster-init": True,
        "token": k3s_cluster.password,
        "flannel-iface": "enp7s0",
    }
    assert node.commands.count(f"https://{PEER_ADDRESSES[0]}:6443/cacerts") == 3
    assert "waits" not in node.stderr
    assert node.kubectl == ""
    assert node.left_behind() == []


def test_another_node_waits_and_logs_it_once(
    create_node: CreateNode, k3s_cluster: K3s, k3s_peers: Sequence[Peer]
) -> None:
    node = create_node()
    process = node.start("k3s-role")
    wait_for_message(node, "waits for a server of its cluster; 127.0.6.2 does not answer; 127.0.6.3 does not answer")
    # An init node would have bootstrapped after three requests.
    wait_for_text(lambda: node.commands, f"https://{PEER_ADDRESSES[1]}:6443/cacerts", times=5)
    assert process.poll() is None
    assert not node.role.exists()
    with k3s_peers[0].serve(k3s_cluster):
        assert process.wait(30) == 0
    assert node.stderr.count("waits for") == 1
    assert_joined(node, through=PEER_ADDRESSES[0], token=k3s_cluster.token)


def test_a_waiting_script_that_is_stopped_leaves_no_files(create_node: CreateNode) -> None:
    node = create_node()
    process = node.start("k3s-role")
    wait_for_message(node, "waits for")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 143
    assert not node.role.exists()
    assert node.left_behind() == []


@pytest.mark.parametrize("role", ["server", "agent"])
def test_a_node_with_data_keeps_its_role_without_requests(
    create_node: CreateNode, k3s_cluster: K3s, k3s_peers: Sequence[Peer], role: str
) -> None:
    node = create_node(role=role, cluster_init=True)
    node.write(OWN_DATA[role], "")
    node.write("etc/rancher/k3s/config.yaml.d/50-role.yaml", "cluster-init: true\n")
    with k3s_peers[0].serve(k3s_cluster):
        assert node.run("k3s-role") == 0
    assert node.settings == {"cluster-init": True, "flannel-iface": "enp7s0"}
    assert "curl" not in node.commands


def test_a_node_with_data_but_without_a_role_fails_and_keeps_its_node_object(
    create_node: CreateNode, k3s_cluster: K3s, k3s_peers: Sequence[Peer]
) -> None:
    node = create_node(cluster_init=True)
    node.write(OWN_DATA["server"], "")
    with k3s_peers[0].serve(k3s_cluster):
        assert node.run("k3s-role") == 1
    assert "has data of a cluster but no" in node.stderr
    assert not node.role.exists()
    assert node.kubectl == ""


def test_a_role_without_data_is_decided_again(
    create_node: CreateNode, k3s_cluster: K3s, k3s_peers: Sequence[Peer]
) -> None:
    """The first start of the init node failed before k3s wrote data, and another node has bootstrapped the cluster."""
    node = create_node(cluster_init=True)
    node.write("etc/rancher/k3s/config.yaml.d/50-role.yaml", "cluster-init: true\n")
    with k3s_peers[0].serve(k3s_cluster):
        assert node.run("k3s-role") == 0
    assert_joined(node, through=PEER_ADDRESSES[0], token=k3s_cluster.token)


def test_the_node_object_of_the_replaced_server_is_deleted_with_an_admin_certificate(
    create_node: CreateNode, k3s_cluster: K3s, k3s_peers: Sequence[Peer]
) -> None:
    node = create_node()
    with k3s_peers[0].serve(k3s_cluster):
        assert node.run("k3s-role") == 0
    called = shlex.split(node.kubectl)
    assert called[called.index("--server") + 1] == f"https://{PEER_ADDRESSES[0]}:6443"
    assert called[-5:] == ["delete", "node", "ubuntu-1", "--ignore-not-found", "--timeout=120s"]
    assert (node.tools / "certificate-authority").read_bytes() == k3s_cluster.server.files.certificate.read_bytes()

    certificate = x509.load_pem_x509_certificate((node.tools / "client-certificate").read_bytes())
    certificate.verify_directly_issued_by(
        x509.load_pem_x509_certificate(k3s_cluster.clients.files.certificate.read_bytes())
    )
    (group,) = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert group.value == "system:masters"
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 1
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)


@pytest.mark.parametrize("cluster_init", [False, True])
def test_a_node_waits_until_the_node_object_of_the_replaced_server_is_deleted(
    create_node: CreateNode, k3s_cluster: K3s, k3s_peers: Sequence[Peer], cluster_init: bool
) -> None:
    node = create_node(cluster_init=cluster_init)
    refuse = node.tools / "refuse"
    refuse.touch()
    with k3s_peers[0].serve(k3s_cluster):
        process = node.start("k3s-role")
        wait_for_message(
            node, "127.0.6.2 is a server of this cluster, but the Node of the predecessor could not be removed"
        )
        # Retried more often than the three attempts after which an init node bootstraps.
        wait_for_text(lambda: node.commands, "k3s kubectl", times=5)
        assert process.poll() is None
        assert not node.role.exists()
        refuse.unlink()
        assert process.wait(30) == 0
    assert_joined(node, through=PEER_ADDRESSES[0], token=k3s_cluster.token)


def test_an_init_node_that_has_reached_the_cluster_does_not_bootstrap(
    create_node: CreateNode, k3s_cluster: K3s, k3s_peers: Sequence[Peer]
) -> None:
    node = create_node(cluster_init=True)
    (node.tools / "refuse").touch()
    with k3s_peers[0].serve(k3s_cluster):
        process = node.start("k3s-role")
        wait_for_message(node, "is a server of this cluster, but")
    wait_for_message(node, "127.0.6.2 does not answer")
    wait_for_text(lambda: node.commands, f"https://{PEER_ADDRESSES[1]}:6443/cacerts", times=6)
    assert process.poll() is None
    process.terminate()
    process.wait(30)
    assert not node.role.exists()


def test_the_script_waits_for_the_interface_with_the_address_of_the_node(
    create_node: CreateNode, k3s_cluster: K3s, k3s_peers: Sequence[Peer]
) -> None:
    """The provider attaches a private network after the server has started."""
    node = create_node()
    node.stand_in("ip", f"cat {node.tools}/interfaces")
    (node.tools / "interfaces").write_text("[{}]")
    with k3s_peers[0].serve(k3s_cluster):
        process = node.start("k3s-role")
        wait_for_message(node, "waits for an interface with the address 127.0.6.1")
        assert node.settings == {}
        (node.tools / "interfaces").write_text('[{"ifname":"ens10"}]')
        assert process.wait(30) == 0
        assert node.settings.get("flannel-iface") == "ens10"

        # Each start looks it up again: the name can differ after a change of the server type.
        (node.tools / "interfaces").write_text('[{"ifname":"enp7s0"}]')
        node.write(OWN_DATA["server"], "")
        assert node.run("k3s-role") == 0
        assert node.settings["flannel-iface"] == "enp7s0"


def test_a_node_without_its_private_address_reports_it_on_the_console_and_is_started_again(
    create_node: CreateNode,
) -> None:
    created = create_node()
    node = replace(created, environment={**created.environment, "ADDRESS_ATTEMPTS": "3"})
    node.stand_in("ip", f"echo x >> {node.tools}/asked; echo '[{{}}]'")
    node.write("dev/console", "")
    assert node.run("k3s-role") == 1
    assert (node.tools / "asked").read_text().count("x") == 3
    assert "no interface has the address 127.0.6.1" in (node.root / "dev/console").read_text()
    assert node.stderr.count("waits for an interface") == 1
    assert node.settings == {}
