"""The networks of a world from within: those of its pods, of its nodes, and of what lies beyond them."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import psutil
from pyroute2 import IPRoute

from rehearsal.layout import CHECKOUT
from rehearsal.real_nodes.machine import Machine
from rehearsal.world.world import World

IMAGE = "redis:7-alpine"
"""The one image of those that the namespace admits that can do nothing."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A network: that of a process, or without one the world's own, which is the internet to its nodes. `address` is what it has there."""

    address: str
    process: int | None = None
    node: str = ""
    """Hostname of the node that a pod runs on."""

    def command(self, module: str, *arguments: str) -> list[str]:
        """A module of these tests, in this network."""
        entering = ["nsenter", f"--net=/proc/{self.process}/ns/net"] if self.process else []
        return [*entering, sys.executable, "-m", module, *arguments]


def pods(world: World, namespace: str, labels: Mapping[str, str]) -> list[Place]:
    """The running pods that carry these labels."""
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    chosen = ["-l", selector] if selector else []
    found = world.kubectl_json("get", "pods", "-n", namespace, *chosen, "--field-selector=status.phase=Running")[
        "items"
    ]
    return [_place(one) for one in found if "deletionTimestamp" not in one["metadata"]]


def _place(pod: Mapping[str, Any]) -> Place:
    uid = pod["metadata"]["uid"]
    return Place(address=pod["status"]["podIP"], process=processes(uid)[0].pid, node=pod["spec"]["nodeName"])


def processes(uid: str) -> list[psutil.Process]:
    """All of a pod's, by their cgroup, which a kubelet names after the pod; never none."""
    found = [process for process in psutil.process_iter() if f"pod{uid}" in _group(process.pid)]
    assert found, f"no process of pod {uid} runs here"
    return found


def _group(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cgroup").read_text()
    return ""


@contextmanager
def pod(world: World, name: str, *, namespace: str, labels: Mapping[str, str]) -> Iterator[Place]:
    """A pod that does nothing, as the namespace demands it, for as long as the block runs."""
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "waits",
                    "image": IMAGE,
                    "command": ["sleep", "infinity"],
                    "imagePullPolicy": "Never",
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": True,
                    },
                    "resources": {
                        key: {"cpu": "10m", "memory": "16Mi", "ephemeral-storage": "16Mi"}
                        for key in ("requests", "limits")
                    },
                }
            ],
        },
    }
    world.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
    try:
        world.kubectl("wait", "-n", namespace, f"pod/{name}", "--for=condition=Ready", "--timeout=60s")
        yield _place(world.kubectl_json("get", "pod", name, "-n", namespace))
    finally:
        world.kubectl("delete", "pod", name, "-n", namespace, "--wait=true")


def node(world: World, address: str) -> Place:
    """A node's own network, by its address in the settings."""
    found = world.kubectl_json("get", "nodes")["items"]
    (name,) = (
        one["metadata"]["name"] for one in found if address in {each["address"] for each in one["status"]["addresses"]}
    )
    return Place(address=address, process=Machine(layout=world.layout, hostname=name).init_pid(), node=name)


def bridge(world: World, address: str) -> Place:
    """That node again, speaking from the bridge of its pods."""
    host = node(world, address)
    (range_,) = (
        one["spec"]["podCIDR"]
        for one in world.kubectl_json("get", "nodes")["items"]
        if one["metadata"]["name"] == host.node
    )
    return replace(host, address=str(next(ip_network(range_).hosts())))


@contextmanager
def beyond(address: str) -> Iterator[Place]:
    """A network that is not the cluster's, in which somebody has this address."""
    with IPRoute() as kernel:
        loopback = kernel.link_lookup(ifname="lo")[0]
        kernel.addr("add", index=loopback, address=address, prefixlen=32)
        try:
            yield Place(address=address)
        finally:
            kernel.addr("del", index=loopback, address=address, prefixlen=32)


@contextmanager
def listening(place: Place, ports: Sequence[str]) -> Iterator[None]:
    """All of these ports (`443/tcp`) answer there, by the app that has one or else by us."""
    command = place.command("tests.real.listen", place.address, *ports)
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as listener:
        try:
            assert listener.stdout is not None
            assert listener.stdout.readline() == "listening\n"
            yield
        finally:
            listener.kill()


def answered(place: Place, connections: Sequence[tuple[str | None, str, int, str]]) -> list[bool]:
    """Which of these (source or None, address, port, protocol) get through from there."""
    done = subprocess.run(
        place.command("tests.real.dial"),
        cwd=CHECKOUT,
        input=json.dumps(connections),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[bool] = json.loads(done.stdout)
    return found
