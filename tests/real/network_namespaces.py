"""The network namespaces of pods, of nodes, and of hosts outside the cluster, for tests that connect from there."""

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
"""The only image with a shell among those that the admission policy of the namespace accepts."""


@dataclass(frozen=True, kw_only=True)
class NetworkNamespace:
    """A network namespace, and an IP address in it."""

    address: str
    pid: int | None = None
    """A process in the namespace; None is the namespace of the tests, which is the internet to the nodes."""
    node: str = ""
    """Hostname of the node of a pod."""

    def command(self, module: str, *arguments: str) -> list[str]:
        """The command that runs a Python module in this namespace."""
        nsenter = ["nsenter", f"--net=/proc/{self.pid}/ns/net"] if self.pid else []
        return [*nsenter, sys.executable, "-m", module, *arguments]


def pods(world: World, namespace: str, labels: Mapping[str, str]) -> list[NetworkNamespace]:
    """The running pods with these labels."""
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    arguments = ["-l", selector] if selector else []
    running = world.kubectl_json("get", "pods", "-n", namespace, *arguments, "--field-selector=status.phase=Running")
    return [_of_pod(pod) for pod in running["items"] if "deletionTimestamp" not in pod["metadata"]]


def _of_pod(pod: Mapping[str, Any]) -> NetworkNamespace:
    pid = pod_processes(pod["metadata"]["uid"])[0].pid
    return NetworkNamespace(address=pod["status"]["podIP"], pid=pid, node=pod["spec"]["nodeName"])


def pod_processes(uid: str) -> list[psutil.Process]:
    """The processes of a pod, found by the cgroup that the kubelet names after the pod's UID. Never empty."""
    result = [process for process in psutil.process_iter() if f"pod{uid}" in _cgroup(process.pid)]
    assert result, f"no process of pod {uid} runs on this machine"
    return result


def _cgroup(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cgroup").read_text()
    return ""


@contextmanager
def idle_pod(world: World, name: str, *, namespace: str, labels: Mapping[str, str]) -> Iterator[NetworkNamespace]:
    """Creates a pod that only sleeps and meets the restricted Pod Security Standard; deletes it at the end."""
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
                    "name": "sleep",
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
        yield _of_pod(world.kubectl_json("get", "pod", name, "-n", namespace))
    finally:
        world.kubectl("delete", "pod", name, "-n", namespace, "--wait=true")


def node(world: World, address: str) -> NetworkNamespace:
    """The host network of the node with this address."""
    (name,) = (
        node["metadata"]["name"]
        for node in world.kubectl_json("get", "nodes")["items"]
        if address in {entry["address"] for entry in node["status"]["addresses"]}
    )
    return NetworkNamespace(address=address, pid=Machine(layout=world.layout, hostname=name).init_pid(), node=name)


def node_bridge(world: World, address: str) -> NetworkNamespace:
    """The host network of the node with this address, with the address of its pod bridge as the source."""
    host = node(world, address)
    (pod_cidr,) = (
        node["spec"]["podCIDR"]
        for node in world.kubectl_json("get", "nodes")["items"]
        if node["metadata"]["name"] == host.node
    )
    return replace(host, address=str(next(ip_network(pod_cidr).hosts())))


@contextmanager
def external_address(address: str) -> Iterator[NetworkNamespace]:
    """Assigns an address outside the cluster to the namespace of the tests."""
    with IPRoute() as kernel:
        loopback = kernel.link_lookup(ifname="lo")[0]
        kernel.addr("add", index=loopback, address=address, prefixlen=32)
        try:
            yield NetworkNamespace(address=address)
        finally:
            kernel.addr("del", index=loopback, address=address, prefixlen=32)


@contextmanager
def listening(namespace: NetworkNamespace, ports: Sequence[str]) -> Iterator[None]:
    """Makes every one of these ports (`443/tcp`) answer: listens on each port that no app uses."""
    command = namespace.command("tests.real.listen", namespace.address, *ports)
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as listener:
        try:
            assert listener.stdout is not None
            assert listener.stdout.readline() == "listening\n"
            yield
        finally:
            listener.kill()


def dial(namespace: NetworkNamespace, connections: Sequence[tuple[str | None, str, int, str]]) -> list[bool]:
    """Whether each connection (source or None, address, port, protocol) from this namespace is answered."""
    completed = subprocess.run(
        namespace.command("tests.real.dial"),
        cwd=CHECKOUT,
        input=json.dumps(connections),
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    results: list[bool] = json.loads(completed.stdout)
    return results
