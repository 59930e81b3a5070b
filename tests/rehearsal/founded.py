"""A world whose cluster the program founds, and what the tests ask of its machines."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.errors import RehearsalError
from rehearsal.machines.etcd import Etcd, EtcdError, Member
from rehearsal.machines.machine import Machine
from rehearsal.world.world import World
from tests.recipes import checkout_with

HOSTNAMES = {"hetzner1": "ubuntu-8gb-nbg1-2", "hetzner2": "ubuntu-8gb-nbg1-1", "hetzner3": "ubuntu-8gb-nbg1-3"}
PATIENCE = 120


@contextmanager
def founded(folder: Path) -> Iterator[World]:
    """The settings as docs/architecture.md changes them, on an empty account, and one `up`."""
    with World(folder / "founded", project=checkout_with("Bootstrap a new cluster", folder / "project")) as world:
        world.pulumi("up", "--yes", "--skip-preview")
        yield world


def machine(world: World, alias: str) -> Machine:
    return Machine(world.layout, HOSTNAMES[alias])


def kubectl(world: World, alias: str) -> Kubectl:
    """By the API server of that machine alone."""
    return Kubectl(machine(world, alias).kubeconfig)


def patiently() -> Retrying:
    """Until what is asserted inside is true. An API server that starts refuses connections for a while."""
    return Retrying(
        retry=retry_if_exception_type((AssertionError, EtcdError, RehearsalError)),
        stop=stop_after_delay(PATIENCE),
        wait=wait_fixed(0.5),
        reraise=True,
    )


def members(world: World, alias: str) -> Sequence[Member]:
    """Whom the etcd of that machine calls its cluster."""
    server = machine(world, alias).root / "var/lib/rancher/k3s/server"
    clusters = kubectl(world, alias).run_json("config", "view")["clusters"]
    assert clusters, f"{alias} has not written its kubeconfig yet"
    address = clusters[0]["cluster"]["server"].removesuffix(":6443")
    return Etcd(url=f"{address}:2379", pki=server / "tls").members()


def await_whole(world: World) -> None:
    """Every machine agrees that there are three members and no other, all of them started and with a vote, and three ready nodes."""
    for attempt in patiently():
        with attempt:
            for alias in HOSTNAMES:
                found = members(world, alias)
                assert sorted(one.name.rsplit("-", 1)[0] for one in found) == sorted(HOSTNAMES.values())
                assert not any(one.learner for one in found)
            nodes = kubectl(world, "hetzner2").run_json("get", "nodes")["items"]
            ready = [
                node
                for node in nodes
                for one in node["status"]["conditions"]
                if (one["type"], one["status"]) == ("Ready", "True")
            ]
            assert sorted(node["metadata"]["name"] for node in ready) == sorted(HOSTNAMES.values())
