"""A world whose cluster the program bootstraps, and functions that inspect its machines."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tenacity import Retrying

from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.machines.etcd import Etcd, EtcdError, Member
from rehearsal.machines.machine import Machine
from rehearsal.world.world import World
from tests.recipes import checkout_with
from tests.retry import ERRORS, attempts

HOSTNAMES = {"hetzner1": "ubuntu-8gb-nbg1-2", "hetzner2": "ubuntu-8gb-nbg1-1", "hetzner3": "ubuntu-8gb-nbg1-3"}
TIMEOUT_SECONDS = 120


@contextmanager
def bootstrapped_world(folder: Path) -> Iterator[World]:
    """Applies the settings of "Bootstrap a new cluster" (docs/architecture.md) in an empty account."""
    with World(folder / "bootstrapped", project=checkout_with("Bootstrap a new cluster", folder / "project")) as world:
        world.pulumi("up", "--yes", "--skip-preview")
        yield world


def machine(world: World, alias: str) -> Machine:
    return Machine(world.layout, HOSTNAMES[alias])


def kubectl(world: World, alias: str) -> Kubectl:
    """A kubectl that uses the API server of this machine only."""
    return Kubectl(machine(world, alias).kubeconfig)


def cluster_attempts() -> Retrying:
    """Attempts for a `for` loop. An API server and etcd refuse connections while they start."""
    return attempts(seconds=TIMEOUT_SECONDS, errors=(*ERRORS, EtcdError))


def members(world: World, alias: str) -> Sequence[Member]:
    """The members of the etcd cluster, as the etcd of this machine lists them."""
    server = machine(world, alias).root / "var/lib/rancher/k3s/server"
    clusters = kubectl(world, alias).run_json("config", "view")["clusters"]
    assert clusters, f"{alias} has not written its kubeconfig yet"
    address = clusters[0]["cluster"]["server"].removesuffix(":6443")
    return Etcd(url=f"{address}:2379", pki=server / "tls").members()


def wait_for_cluster(world: World) -> None:
    """Waits until every machine lists the same three voting etcd members, and all three nodes are Ready."""
    for attempt in cluster_attempts():
        with attempt:
            for alias in HOSTNAMES:
                listed = members(world, alias)
                assert sorted(member.name.rsplit("-", 1)[0] for member in listed) == sorted(HOSTNAMES.values())
                assert not any(member.learner for member in listed)
            nodes = kubectl(world, "hetzner2").run_json("get", "nodes")["items"]
            ready = [
                node
                for node in nodes
                for condition in node["status"]["conditions"]
                if (condition["type"], condition["status"]) == ("Ready", "True")
            ]
            assert sorted(node["metadata"]["name"] for node in ready) == sorted(HOSTNAMES.values())
