"""The program that decides whether a node goes on, joins, founds or waits: every branch, against servers that really answer."""

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

from tests.unit.machine import K3s, Machine, Peer, machine, until, until_said

ADDRESSES = ("127.0.6.2", "127.0.6.3")
INTERFACES = '[{},{"ifname":"enp7s0","addr_info":[{"local":"127.0.6.1"}]}]'
OWN_DATA = {
    "server": "var/lib/rancher/k3s/server/db/etcd/member/wal",
    "agent": "var/lib/rancher/k3s/agent/client-ca.crt",
}

NewNode = Callable[..., Machine]


@pytest.fixture
def cluster(tmp_path: Path) -> K3s:
    return K3s.create(tmp_path / "cluster")


@pytest.fixture
def stranger(tmp_path: Path) -> K3s:
    return K3s.create(tmp_path / "stranger")


@pytest.fixture
def peers() -> Iterator[Sequence[Peer]]:
    with ExitStack() as stack:
        found = []
        for address in ADDRESSES:
            bound = stack.enter_context(socket.socket())
            bound.bind((address, 0))
            found.append(Peer(address=address, bound=bound))
        yield found


@pytest.fixture
def node(tmp_path: Path, cluster: K3s, peers: Sequence[Peer]) -> NewNode:
    def new(*, role: str = "server", founds: bool = False, token: str | None = None) -> Machine:
        made = machine(tmp_path / "node", peers=peers)
        environment = {
            "NODE_NAME": "ubuntu-1",
            "NODE_ADDRESS": "127.0.6.1",
            "NODE_ROLE": role,
            "NODE_PEERS": " ".join(peer.address for peer in peers),
            "NODE_CLUSTER_INIT": "yes" if founds else "no",
        }
        made.write("etc/honeydue/node.env", "".join(f"{key}='{value}'\n" for key, value in environment.items()))
        made.write("etc/honeydue/k3s-token", (cluster.token if token is None else token) + "\n")
        made.stand_in("ip", f"""[ "$*" = "-json -4 address show to 127.0.6.1" ] && echo '{INTERFACES}'""")
        # Keeps the files it was called with, which are gone when the script is, and refuses while it is told to.
        copies = f"""
            while [ $# -gt 0 ]; do
                case $1 in --client-*|--certificate-authority) cp "$2" {made.tools}/"${{1#--}}" ;; esac
                shift
            done"""
        made.stand_in(
            "k3s",
            f'echo "k3s $*" | tee -a {made.tools}/commands > {made.tools}/kubectl\n{copies}\n[ ! -e {made.tools}/refuse ]',
        )
        return made

    return new


def joined(node: Machine, *, through: str, token: str) -> None:
    assert node.settings == {"server": f"https://{through}:6443", "token": token, "flannel-iface": "enp7s0"}
    assert node.role.stat().st_mode & 0o777 == 0o600
    assert node.left_behind() == []


@pytest.mark.parametrize("role", ["server", "agent"])
def test_it_joins_the_cluster_of_a_peer_that_answers(
    node: NewNode, cluster: K3s, peers: Sequence[Peer], role: str
) -> None:
    new = node(role=role)
    with peers[1].serve(cluster):
        assert new.run("k3s-role") == 0
    joined(new, through=ADDRESSES[1], token=cluster.token)


def test_a_founder_joins_where_a_cluster_answers(node: NewNode, cluster: K3s, peers: Sequence[Peer]) -> None:
    new = node(founds=True)
    with peers[0].serve(cluster):
        assert new.run("k3s-role") == 0
    joined(new, through=ADDRESSES[0], token=cluster.token)


def test_a_founder_founds_where_nobody_answers(node: NewNode, cluster: K3s) -> None:
    new = node(founds=True)
    assert new.run("k3s-role") == 0
    assert new.settings == {"cluster-init": True, "token": cluster.password, "flannel-iface": "enp7s0"}
    assert new.commands.count(f"https://{ADDRESSES[0]}:6443/cacerts") == 3
    assert "waits" not in new.said
    assert new.kubectl == ""
    assert new.left_behind() == []


def test_who_may_not_found_waits_and_says_so_once(node: NewNode, cluster: K3s, peers: Sequence[Peer]) -> None:
    new = node()
    process = new.start("k3s-role")
    until_said(new, "waits for a server of its cluster; 127.0.6.2 does not answer; 127.0.6.3 does not answer")
    # More often than a founder asks before it founds.
    until(lambda: new.commands, f"https://{ADDRESSES[1]}:6443/cacerts", times=5)
    assert process.poll() is None
    assert not new.role.exists()
    with peers[0].serve(cluster):
        assert process.wait(30) == 0
    assert new.said.count("waits for") == 1
    joined(new, through=ADDRESSES[0], token=cluster.token)


def test_a_waiting_node_that_is_stopped_leaves_nothing(node: NewNode) -> None:
    new = node()
    process = new.start("k3s-role")
    until_said(new, "waits for")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 143
    assert not new.role.exists()
    assert new.left_behind() == []


def test_a_stranger_is_not_joined(node: NewNode, stranger: K3s, peers: Sequence[Peer]) -> None:
    new = node()
    with peers[0].serve(stranger):
        process = new.start("k3s-role")
        until_said(new, "127.0.6.2 belongs to another cluster")
        process.terminate()
        process.wait(30)
    assert not new.role.exists()
    assert "server-bootstrap" not in new.commands


def test_who_only_shows_our_certificate_is_not_joined(
    node: NewNode, cluster: K3s, stranger: K3s, peers: Sequence[Peer]
) -> None:
    """The authority's certificate is public: whoever got the address can copy it, without its key."""
    new = node()
    with peers[0].serve(cluster, certified_by=stranger):
        process = new.start("k3s-role")
        until_said(new, "127.0.6.2 has no certificate of the CA that it presents")
        process.terminate()
        process.wait(30)
    assert not new.role.exists()
    assert "server-bootstrap" not in new.commands


def test_a_peer_that_hangs_does_not_keep_it_from_the_next(node: NewNode, cluster: K3s, peers: Sequence[Peer]) -> None:
    new = node()
    peers[0].hang()
    with peers[1].serve(cluster):
        assert new.run("k3s-role") == 0
    joined(new, through=ADDRESSES[1], token=cluster.token)


@pytest.mark.parametrize("role", ["server", "agent"])
def test_a_node_with_data_keeps_its_role_and_asks_nobody(
    node: NewNode, cluster: K3s, peers: Sequence[Peer], role: str
) -> None:
    new = node(role=role, founds=True)
    new.write(OWN_DATA[role], "")
    new.write("etc/rancher/k3s/config.yaml.d/50-role.yaml", "cluster-init: true\n")
    with peers[0].serve(cluster):
        assert new.run("k3s-role") == 0
    assert new.settings == {"cluster-init": True, "flannel-iface": "enp7s0"}
    assert "curl" not in new.commands


def test_a_node_with_data_but_no_role_does_not_remove_itself(
    node: NewNode, cluster: K3s, peers: Sequence[Peer]
) -> None:
    new = node(founds=True)
    new.write(OWN_DATA["server"], "")
    with peers[0].serve(cluster):
        assert new.run("k3s-role") == 1
    assert "has data of a cluster but no" in new.said
    assert not new.role.exists()
    assert new.kubectl == ""


def test_a_role_without_data_is_decided_again(node: NewNode, cluster: K3s, peers: Sequence[Peer]) -> None:
    """A founder whose first start failed before k3s had written anything, while another node founded."""
    new = node(founds=True)
    new.write("etc/rancher/k3s/config.yaml.d/50-role.yaml", "cluster-init: true\n")
    with peers[0].serve(cluster):
        assert new.run("k3s-role") == 0
    joined(new, through=ADDRESSES[0], token=cluster.token)


def test_the_node_of_a_predecessor_is_removed_with_a_certificate_of_the_cluster(
    node: NewNode, cluster: K3s, peers: Sequence[Peer]
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


@pytest.mark.parametrize("founds", [False, True])
def test_while_the_predecessor_stands_it_neither_joins_nor_founds(
    node: NewNode, cluster: K3s, peers: Sequence[Peer], founds: bool
) -> None:
    new = node(founds=founds)
    refuse = new.tools / "refuse"
    refuse.touch()
    with peers[0].serve(cluster):
        process = new.start("k3s-role")
        until_said(new, "127.0.6.2 is a server of this cluster, but the Node of the predecessor could not be removed")
        # Asked again, more often than a founder asks before it founds.
        until(lambda: new.commands, "k3s kubectl", times=5)
        assert process.poll() is None
        assert not new.role.exists()
        refuse.unlink()
        assert process.wait(30) == 0
    joined(new, through=ADDRESSES[0], token=cluster.token)


def test_a_founder_that_saw_the_cluster_once_does_not_found(node: NewNode, cluster: K3s, peers: Sequence[Peer]) -> None:
    new = node(founds=True)
    (new.tools / "refuse").touch()
    with peers[0].serve(cluster):
        process = new.start("k3s-role")
        until_said(new, "is a server of this cluster, but")
    until_said(new, "127.0.6.2 does not answer")
    until(lambda: new.commands, f"https://{ADDRESSES[1]}:6443/cacerts", times=6)
    assert process.poll() is None
    process.terminate()
    process.wait(30)
    assert not new.role.exists()


def test_a_wrong_password_is_said_and_nothing_is_written(node: NewNode, cluster: K3s, peers: Sequence[Peer]) -> None:
    new = node(token=cluster.token + "x")
    with peers[0].serve(cluster):
        process = new.start("k3s-role")
        until_said(new, "The requested URL returned error: 401")
        process.terminate()
        process.wait(30)
    assert not new.role.exists()


@pytest.mark.parametrize("token", ["", "secret", "K10::server:secret", "K10" + "a" * 64 + "::server:"])
def test_a_token_of_another_form_is_refused_without_being_shown(node: NewNode, token: str) -> None:
    new = node(founds=True, token=token)
    assert new.run("k3s-role") == 1
    assert "does not hold a token of the form" in new.said
    assert "secret" not in new.said
    assert not new.role.exists()


def test_the_token_is_on_no_command_line_and_in_no_words(node: NewNode, cluster: K3s, peers: Sequence[Peer]) -> None:
    new = node()
    with peers[0].serve(cluster):
        assert new.run("k3s-role") == 0
    assert "server-bootstrap" in new.commands
    assert cluster.password not in new.commands + new.said


def test_the_interface_is_awaited_and_found_by_its_address(node: NewNode, cluster: K3s, peers: Sequence[Peer]) -> None:
    """A private network is attached while the machine boots."""
    new = node()
    new.stand_in("ip", f"cat {new.tools}/interfaces")
    (new.tools / "interfaces").write_text("[{}]")
    with peers[0].serve(cluster):
        process = new.start("k3s-role")
        until_said(new, "waits for an interface with the address 127.0.6.1")
        assert new.settings == {}
        (new.tools / "interfaces").write_text('[{"ifname":"ens10"}]')
        assert process.wait(30) == 0
        assert new.settings.get("flannel-iface") == "ens10"

        # At each start anew: the name may be another after a change of the machine's type.
        (new.tools / "interfaces").write_text('[{"ifname":"enp7s0"}]')
        new.write(OWN_DATA["server"], "")
        assert new.run("k3s-role") == 0
        assert new.settings["flannel-iface"] == "enp7s0"
