"""The script that joins a node to a cluster: which peers it trusts, and that it never exposes the join token."""

from collections.abc import Sequence

import pytest

from tests.unit.machine import PEER_ADDRESSES, CreateNode, K3s, Machine, Peer, assert_joined, wait_for_message


def assert_refused(node: Machine, message: str) -> None:
    """Asserts that the script logs the message, and that it has written no role when it is stopped."""
    process = node.start("k3s-role")
    wait_for_message(node, message)
    process.terminate()
    process.wait(30)
    assert not node.role.exists()


def test_a_node_does_not_join_another_cluster(
    create_node: CreateNode, other_k3s_cluster: K3s, k3s_peers: Sequence[Peer]
) -> None:
    node = create_node()
    with k3s_peers[0].serve(other_k3s_cluster):
        assert_refused(node, "127.0.6.2 belongs to another cluster")
    assert "server-bootstrap" not in node.commands


def test_a_node_does_not_join_a_server_without_the_key_of_the_ca(
    create_node: CreateNode, k3s_cluster: K3s, other_k3s_cluster: K3s, k3s_peers: Sequence[Peer]
) -> None:
    """The certificate of the CA is public. A server at the address of a former node can copy it, but not its key."""
    node = create_node()
    with k3s_peers[0].serve(k3s_cluster, certified_by=other_k3s_cluster):
        assert_refused(node, "127.0.6.2 has no certificate of the CA that it presents")
    assert "server-bootstrap" not in node.commands


def test_a_peer_that_hangs_is_skipped(create_node: CreateNode, k3s_cluster: K3s, k3s_peers: Sequence[Peer]) -> None:
    node = create_node()
    k3s_peers[0].hang()
    with k3s_peers[1].serve(k3s_cluster):
        assert node.run("k3s-role") == 0
    assert_joined(node, through=PEER_ADDRESSES[1], token=k3s_cluster.token)


def test_a_wrong_password_is_logged_and_no_role_is_written(
    create_node: CreateNode, k3s_cluster: K3s, k3s_peers: Sequence[Peer]
) -> None:
    node = create_node(token=k3s_cluster.token + "x")
    with k3s_peers[0].serve(k3s_cluster):
        assert_refused(node, "The requested URL returned error: 401")


@pytest.mark.parametrize("token", ["", "secret", "K10::server:secret", "K10" + "a" * 64 + "::server:"])
def test_a_token_in_another_format_is_refused_without_being_logged(create_node: CreateNode, token: str) -> None:
    node = create_node(cluster_init=True, token=token)
    node.write("dev/console", "")
    assert node.run("k3s-role") == 1
    assert "does not hold a token of the form" in (node.root / "dev/console").read_text()
    assert "does not hold a token of the form" in node.stderr
    assert "secret" not in node.stderr
    assert not node.role.exists()


def test_the_token_is_in_no_command_line_and_no_message(
    create_node: CreateNode, k3s_cluster: K3s, k3s_peers: Sequence[Peer]
) -> None:
    node = create_node()
    with k3s_peers[0].serve(k3s_cluster):
        assert node.run("k3s-role") == 0
    assert "server-bootstrap" in node.commands
    assert k3s_cluster.password not in node.commands + node.stderr
