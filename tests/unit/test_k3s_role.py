"""The script that decides whether a node starts, joins, bootstraps or waits, against HTTPS servers on loopback."""

import shlex
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.unit.machine import K3s, Machine, Peer, machine, wait_for_message, wait_for_text

ADDRESSES = ("127.0.6.2", "127.0.6.3")
INTERFACES = '[{},{"ifname":"enp7s0","addr_info":[{"local":"127.0.6.1"}]}]'
OWN_DATA = {
    "server": "var/lib/rancher/k3s/server/db/etcd/member/wal",
    "agent": "var/lib/rancher/k3s/agent/client-ca.crt",
}

CreateNode = Callable[..., Machine]


@pytest.fixture
def cluster(tmp_path: Path) -> K3s:
    return K3s.create(tmp_path / "cluster")


@pytest.fixture
def other_cluster(tmp_path: Path) -> K3s:
    return K3s.create(tmp_path / "other")


@pytest.fixture
def peers() -> Iterator[Sequence[Peer]]:
    with ExitStack() as stack:
        bound_peers = []
        for address in ADDRESSES:
            listener = stack.enter_context(socket.socket())
            listener.bind((address, 0))
            bound_peers.append(Peer(address=address, bound=listener))
        yield bound_peers


@pytest.fixture
def node(tmp_path: Path, cluster: K3s, peers: Sequence[Peer]) -> CreateNode:
    def new(*, role: str = "server", cluster_init: bool = False, token: str | None = None) -> Machine:
        created = machine(tmp_path / "node", peers=peers)
        environment = {
            "NODE_NAME": "ubuntu-1",
            "NODE_ADDRESS": "127.0.6.1",
            "NODE_ROLE": role,
            "NODE_PEERS": " ".join(peer.address for peer in peers),
            "NODE_CLUSTER_INIT": "yes" if cluster_init else "no",
        }
        created.write("etc/honeydue/node.env", "".join(f"{key}='{value}'\n" for key, value in environment.items()))
        created.write("etc/honeydue/k3s-token", (cluster.token if token is None else token) + "\n")
        created.stand_in("ip", f"""[ "$*" = "-json -4 address show to 127.0.6.1" ] && echo '{INTERFACES}'""")
        # Copies its files, because the script deletes them, and fails while the file `refuse` exists.
        copies = f"""
            while [ $# -gt 0 ]; do
                case $1 in --client-*|--certificate-authority) cp "$2" {created.tools}/"${{1#--}}" ;; esac
                shift
            done"""
        created.stand_in(
            "k3s",
            f'echo "k3s $*" | tee -a {created.tools}/commands > {created.tools}/kubectl\n'
            f"{copies}\n[ ! -e {created.tools}/refuse ]",
        )
        return created

    return new


def joined(node: Machine, *, through: str, token: str) -> None:
    assert node.settings == {"server": f"https://{through}:6443", "token": token, "flannel-iface": "enp7s0"}
    assert node.role.stat().st_mode & 0o777 == 0o600
    assert node.left_behind() == []


@pytest.mark.parametrize("role", ["server", "agent"])
def test_a_node_joins_through_the_peer_that_responds(
    node: CreateNode, cluster: K3s, peers: Sequence[Peer], role: str
) -> None:
    new = node(role=role)
    with peers[1].serve(cluster):
        assert new.run("k3s-role") == 0
    joined(new, through=ADDRESSES[1], token=cluster.token)


def test_an_init_node_joins_if_a_server_of_the_cluster_responds(
    node: CreateNode, cluster: K3s, peers: Sequence[Peer]
) -> None:
    new = node(cluster_init=True)
    with peers[0].serve(cluster):
        assert new.run("k3s-role") == 0
    joined(new, through=ADDRESSES[0], token=cluster.token)


def test_an_init_node_bootstraps_if_no_peer_responds(node: CreateNode, cluster: K3s) -> None:
    new = node(cluster_init=True)
    assert new.run("k3s-role") == 0
    assert new.settings == {"cluster-init": True, "token": cluster.password, "flannel-iface": "enp7s0"}
    assert new.commands.count(f"https://{ADDRESSES[0]}:6443/cacerts") == 3
    assert "waits" not in new.stderr
    assert new.kubectl == ""
    assert new.left_behind() == []


def test_another_node_waits_and_logs_it_once(node: CreateNode, cluster: K3s, peers: Sequence[Peer]) -> None:
    new = node()
    process = new.start("k3s-role")
    wait_for_message(new, "waits for a server of its cluster; 127.0.6.2 does not answer; 127.0.6.3 does not answer")
    # An init node would have bootstrapped after three requests.
    wait_for_text(lambda: new.commands, f"https://{ADDRESSES[1]}:6443/cacerts", times=5)
    assert process.poll() is None
    assert not new.role.exists()
    with peers[0].serve(cluster):
        assert process.wait(30) == 0
    assert new.stderr.count("waits for") == 1
    joined(new, through=ADDRESSES[0], token=cluster.token)


def test_a_waiting_script_that_is_stopped_leaves_no_files(node: CreateNode) -> None:
    new = node()
    process = new.start("k3s-role")
    wait_for_message(new, "waits for")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 143
    assert not new.role.exists()
    assert new.left_behind() == []


def test_a_node_does_not_join_another_cluster(node: CreateNode, other_cluster: K3s, peers: Sequence[Peer]) -> None:
    new = node()
    with peers[0].serve(other_cluster):
        process = new.start("k3s-role")
        wait_for_message(new, "127.0.6.2 belongs to another cluster")
        process.terminate()
        process.wait(30)
    assert not new.role.exists()
    assert "server-bootstrap" not in new.commands


def test_a_node_does_not_join_a_server_without_the_key_of_the_ca(
    node: CreateNode, cluster: K3s, other_cluster: K3s, peers: Sequence[Peer]
) -> None:
    """The certificate of the CA is public. A server at the address of a former node can copy it, but not its key."""
    new = node()
    with peers[0].serve(cluster, certified_by=other_cluster):
        process = new.start("k3s-role")
        wait_for_message(new, "127.0.6.2 has no certificate of the CA that it presents")
        process.terminate()
        process.wait(30)
    assert not new.role.exists()
    assert "server-bootstrap" not in new.commands


def test_a_peer_that_hangs_is_skipped(node: CreateNode, cluster: K3s, peers: Sequence[Peer]) -> None:
    new = node()
    peers[0].hang()
    with peers[1].serve(cluster):
        assert new.run("k3s-role") == 0
    joined(new, through=ADDRESSES[1], token=cluster.token)


@pytest.mark.parametrize("role", ["server", "agent"])
def test_a_node_with_data_keeps_its_role_without_requests(
    node: CreateNode, cluster: K3s, peers: Sequence[Peer], role: str
) -> None:
    new = node(role=role, cluster_init=True)
    new.write(OWN_DATA[role], "")
    new.write("etc/rancher/k3s/config.yaml.d/50-role.yaml", "cluster-init: true\n")
    with peers[0].serve(cluster):
        assert new.run("k3s-role") == 0
    assert new.settings == {"cluster-init": True, "flannel-iface": "enp7s0"}
    assert "curl" not in new.commands


def test_a_node_with_data_but_without_a_role_fails_and_keeps_its_node_object(
    node: CreateNode, cluster: K3s, peers: Sequence[Peer]
) -> None:
    new = node(cluster_init=True)
    new.write(OWN_DATA["server"], "")
    with peers[0].serve(cluster):
        assert new.run("k3s-role") == 1
    assert "has data of a cluster but no" in new.stderr
    assert not new.role.exists()
    assert new.kubectl == ""


def test_a_role_without_data_is_decided_again(node: CreateNode, cluster: K3s, peers: Sequence[Peer]) -> None:
    """The first start of the init node failed before k3s wrote data, and another node has bootstrapped the cluster."""
    new = node(cluster_init=True)
    new.write("etc/rancher/k3s/config.yaml.d/50-role.yaml", "cluster-init: true\n")
    with peers[0].serve(cluster):
        assert new.run("k3s-role") == 0
    joined(new, through=ADDRESSES[0], token=cluster.token)


def test_the_node_object_of_the_replaced_server_is_deleted_with_an_admin_certificate(
    node: CreateNode, cluster: K3s, peers: Sequence[Peer]
) -> None:
    new = node()
    with peers[0].serve(cluster):
        assert new.run("k3s-role") == 0
    called = shlex.split(new.kubectl)
    assert called[called.index("--server") + 1] == f"https://{ADDRESSES[0]}:6443"
    assert called[-5:] == ["delete", "node", "ubuntu-1", "--ignore-not-found", "--timeout=120s"]
    assert (new.tools / "certificate-authority").read_bytes() == cluster.server.files.certificate.read_bytes()

    certificate = x509.load_pem_x509_certificate((new.tools / "client-certificate").read_bytes())
    certificate.verify_directly_issued_by(
        x509.load_pem_x509_certificate(cluster.clients.files.certificate.read_bytes())
    )
    (group,) = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert group.value == "system:masters"
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 1
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)


@pytest.mark.parametrize("cluster_init", [False, True])
def test_a_node_waits_until_the_node_object_of_the_replaced_server_is_deleted(
    node: CreateNode, cluster: K3s, peers: Sequence[Peer], cluster_init: bool
) -> None:
    new = node(cluster_init=cluster_init)
    refuse = new.tools / "refuse"
    refuse.touch()
    with peers[0].serve(cluster):
        process = new.start("k3s-role")
        wait_for_message(
            new, "127.0.6.2 is a server of this cluster, but the Node of the predecessor could not be removed"
        )
        # Retried more often than the three attempts after which an init node bootstraps.
        wait_for_text(lambda: new.commands, "k3s kubectl", times=5)
        assert process.poll() is None
        assert not new.role.exists()
        refuse.unlink()
        assert process.wait(30) == 0
    joined(new, through=ADDRESSES[0], token=cluster.token)


def test_an_init_node_that_has_reached_the_cluster_does_not_bootstrap(
    node: CreateNode, cluster: K3s, peers: Sequence[Peer]
) -> None:
    new = node(cluster_init=True)
    (new.tools / "refuse").touch()
    with peers[0].serve(cluster):
        process = new.start("k3s-role")
        wait_for_message(new, "is a server of this cluster, but")
    wait_for_message(new, "127.0.6.2 does not answer")
    wait_for_text(lambda: new.commands, f"https://{ADDRESSES[1]}:6443/cacerts", times=6)
    assert process.poll() is None
    process.terminate()
    process.wait(30)
    assert not new.role.exists()


def test_a_wrong_password_is_logged_and_no_role_is_written(
    node: CreateNode, cluster: K3s, peers: Sequence[Peer]
) -> None:
    new = node(token=cluster.token + "x")
    with peers[0].serve(cluster):
        process = new.start("k3s-role")
        wait_for_message(new, "The requested URL returned error: 401")
        process.terminate()
        process.wait(30)
    assert not new.role.exists()


@pytest.mark.parametrize("token", ["", "secret", "K10::server:secret", "K10" + "a" * 64 + "::server:"])
def test_a_token_in_another_format_is_refused_without_being_logged(node: CreateNode, token: str) -> None:
    new = node(cluster_init=True, token=token)
    assert new.run("k3s-role") == 1
    assert "does not hold a token of the form" in new.stderr
    assert "secret" not in new.stderr
    assert not new.role.exists()


def test_the_token_is_in_no_command_line_and_no_message(node: CreateNode, cluster: K3s, peers: Sequence[Peer]) -> None:
    new = node()
    with peers[0].serve(cluster):
        assert new.run("k3s-role") == 0
    assert "server-bootstrap" in new.commands
    assert cluster.password not in new.commands + new.stderr


def test_the_script_waits_for_the_interface_with_the_address_of_the_node(
    node: CreateNode, cluster: K3s, peers: Sequence[Peer]
) -> None:
    """Hetzner attaches a private network while the server boots."""
    new = node()
    new.stand_in("ip", f"cat {new.tools}/interfaces")
    (new.tools / "interfaces").write_text("[{}]")
    with peers[0].serve(cluster):
        process = new.start("k3s-role")
        wait_for_message(new, "waits for an interface with the address 127.0.6.1")
        assert new.settings == {}
        (new.tools / "interfaces").write_text('[{"ifname":"ens10"}]')
        assert process.wait(30) == 0
        assert new.settings.get("flannel-iface") == "ens10"

        # Each start looks it up again: the name can differ after a change of the server type.
        (new.tools / "interfaces").write_text('[{"ifname":"enp7s0"}]')
        new.write(OWN_DATA["server"], "")
        assert new.run("k3s-role") == 0
        assert new.settings["flannel-iface"] == "enp7s0"
