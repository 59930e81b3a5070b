"""Fixtures of several modules: runs of the program, once per session, and nodes that run the scripts of k3s."""

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra.settings.shared_options import response_fields
from infra.settings.topology import ClusterSettings
from tests.recipes import checkout_with
from tests.unit.capture import Capture, example_settings, full_settings, production_settings, run, with_placeholders
from tests.unit.machine import INTERFACES, PEER_ADDRESSES, CreateNode, K3s, Machine, Peer, machine
from tools import checksums


@pytest.fixture(scope="session")
def bootstrapped(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """A run with the settings of a new cluster, made by the recipe of docs/architecture.md."""
    folder = checkout_with("Bootstrap a new cluster", tmp_path_factory.mktemp("bootstrapped"))
    return run(with_placeholders(folder / "Pulumi.prod.yaml"))


@pytest.fixture(scope="session")
def production() -> Capture:
    """A run with the settings of production."""
    return run(production_settings())


@pytest.fixture(scope="session")
def example() -> Capture:
    """A run with the example settings."""
    return run(example_settings())


@pytest.fixture(scope="session")
def full_example() -> Capture:
    """A run with the example settings and all optional settings."""
    return run(full_settings())


@pytest.fixture(scope="session", params=["production", "bootstrapped", "full_example"])
def program(request: pytest.FixtureRequest) -> Capture:
    """Each of these runs, for tests of invariants."""
    captured: Capture = request.getfixturevalue(request.param)
    return captured


@pytest.fixture
def checksum_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of recorded checksums. It is empty at first."""
    file = tmp_path / "releases.sha256"
    file.write_text("# none\n")
    monkeypatch.setattr(checksums, "RECORDS", file)
    return file


@pytest.fixture
def k3s_cluster(tmp_path: Path) -> K3s:
    """The cluster that a new node belongs to."""
    return K3s.create(tmp_path / "cluster")


@pytest.fixture
def other_k3s_cluster(tmp_path: Path) -> K3s:
    """Another cluster, with its own CA and token."""
    return K3s.create(tmp_path / "other")


@pytest.fixture
def k3s_peers() -> Iterator[Sequence[Peer]]:
    """The peers of a new node. They refuse connections at first."""
    with ExitStack() as stack:
        bound_peers = []
        for address in PEER_ADDRESSES:
            listener = stack.enter_context(socket.socket())
            listener.bind((address, 0))
            bound_peers.append(Peer(address=address, bound=listener))
        yield bound_peers


@pytest.fixture
def create_node(tmp_path: Path, k3s_cluster: K3s, k3s_peers: Sequence[Peer]) -> CreateNode:
    """Creates a node with the files of cloud-init and stand-ins for `ip` and `k3s`, before its first start."""

    def create(*, role: str = "server", cluster_init: bool = False, token: str | None = None) -> Machine:
        created = machine(tmp_path / "node", peers=k3s_peers)
        environment = {
            "NODE_NAME": "ubuntu-1",
            "NODE_ADDRESS": "127.0.6.1",
            "NODE_ROLE": role,
            "NODE_PEERS": " ".join(peer.address for peer in k3s_peers),
            "NODE_CLUSTER_INIT": "yes" if cluster_init else "no",
            "NODE_SHARED_OPTIONS": json.dumps(response_fields(ClusterSettings)),
        }
        created.write("etc/honeydue/node.env", "".join(f"{key}='{value}'\n" for key, value in environment.items()))
        created.write("etc/honeydue/k3s-token", (k3s_cluster.token if token is None else token) + "\n")
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

    return create
