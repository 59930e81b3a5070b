"""Real nodes of a world: their network, their machines, and what joins them to its control plane."""

import os
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path

from rehearsal.control_plane.flags import Network, Place
from rehearsal.control_plane.nodes import Disk, Manifest, Node, disks_of, manifests_of_real
from rehearsal.errors import RehearsalError
from rehearsal.external.database import Outside
from rehearsal.layout import Layout
from rehearsal.processes import processes
from rehearsal.real_nodes import addons, identities, network, settings
from rehearsal.real_nodes.machine import PART, PATH, Machine, part
from tools import debian, programs

NETWORK_PART = ".network"
"""No host has such a name."""
PROGRAMS = ("containerd", "kubelet", "kube-proxy", "kube-router")
OF_KUBERNETES = frozenset({"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"})
PACKAGES = ("node", "postgresql", "redis")
TOLERATION_SECONDS = 60
"""How long a pod stays bound to a node that is not ready or unreachable."""
TOOLS = ("unshare", "nsenter", "mount", "umount", "pivot_root")


def enter(layout: Layout) -> int:
    """Moves this thread into the world's network, which is made where it is not there; returns what `network.leave` takes."""
    # From inside, Debian's archive is out of reach.
    for packages in PACKAGES:
        debian.root(packages)
    found = next((one for one in processes.running(layout) if part(one)[0] == NETWORK_PART), None)
    if found:
        return network.enter(network.of(found.pid))
    environment = {"PATH": PATH, PART: NETWORK_PART}
    started = processes.start(layout, "network", ["unshare", "--net", "sleep", "infinity"], environment=environment)
    network.await_own(started.pid)
    before = network.enter(network.of(started.pid))
    network.set_up()
    return before


def running(layout: Layout) -> Mapping[str, int]:
    """The programs of such a world and their process ids, a node's with its name before their own."""
    found = {}
    for process in processes.running(layout):
        where, name = part(process)
        if where is None and name in OF_KUBERNETES:
            found[name] = process.pid
        elif name in PROGRAMS or where == NETWORK_PART:
            found[where if where == NETWORK_PART else f"{where}/{name}"] = process.pid
    return found


def runs(layout: Layout) -> bool:
    """Whether nothing of it is missing but what somebody switched off."""
    on = [hostname for hostname in _hostnames(layout) if not Machine(layout=layout, hostname=hostname).is_off()]
    wanted = {NETWORK_PART, *OF_KUBERNETES, *(f"{hostname}/{name}" for hostname in on for name in PROGRAMS)}
    return wanted <= set(running(layout))


def _hostnames(layout: Layout) -> set[str]:
    return {folder.name for folder in layout.nodes.glob("*")}


def check(*, founded_here: bool = False) -> None:
    """A RehearsalError in one line where real nodes cannot be."""
    without = "without it, rehearse with the usual nodes: NODES=kwok"
    if founded_here:
        raise RehearsalError(
            "real nodes join a cluster that was there before (honeydue:cluster.founder is set); without: NODES=kwok"
        )
    if platform.system() != "Linux":
        raise RehearsalError(f"real nodes need Linux; {without}")
    if os.geteuid() != 0:
        raise RehearsalError(f"real nodes need root, for namespaces, mounts and filter rules of their own; {without}")
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise RehearsalError(f"real nodes need {', '.join(missing)} of util-linux; {without}")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What real nodes are made from."""

    network: Network
    dns: str
    nodes: Sequence[Node]
    disks: Sequence[Disk] = ()
    outside: Outside
    images: Sequence[Path]
    """Archives that every node holds."""

    def settings(self) -> list[settings.Setting]:
        """Of each node."""
        pods = IPv4Network(self.network.pods)
        ranges = settings.ranges(self.network.pods, len(self.nodes))
        return [
            settings.Setting(
                hostname=node.hostname,
                address=_address(node),
                pods=own,
                cluster=pods,
                services=self.network.services,
                dns=self.dns,
            )
            for node, own in zip(self.nodes, ranges, strict=True)
        ]

    def manifests(self) -> Iterator[Manifest]:
        """What the API server must hold before the kubelets come."""
        nodes = [replace(node, pods=str(own.pods)) for node, own in zip(self.nodes, self.settings(), strict=True)]
        yield from manifests_of_real(nodes, disks=self.disks)
        yield from addons.manifests(dns=self.dns, outside=self.outside.addresses)


def _address(node: Node) -> str:
    if node.ipv4 is None:
        raise RehearsalError(f"honeydue:nodes: {node.hostname} has no ipv4, which a real node needs")
    return node.ipv4


class RealNodes:
    """Started with the world's control plane, and ended with its processes."""

    def __init__(self, layout: Layout, plan: Plan) -> None:
        self._layout = layout
        self._plan = plan
        self._settings = {one.hostname: one for one in plan.settings()}
        self._machines = {hostname: Machine(layout=layout, hostname=hostname) for hostname in self._settings}

    def place(self, place: Place) -> Place:
        """The control plane of such a world: at an address that nodes and pods reach, and asking kubelets by theirs."""
        told = replace(self._plan.network, advertise=network.ROUTER)
        flags = {
            "kube-apiserver": [
                "kubelet-preferred-address-types=InternalIP",
                # Kubernetes' default, and production's, is 300 s. A rehearsal of a lost node shows the same after one minute.
                f"default-not-ready-toleration-seconds={TOLERATION_SECONDS}",
                f"default-unreachable-toleration-seconds={TOLERATION_SECONDS}",
            ]
        }
        return replace(place, address=network.ROUTER, network=told, played=False, extra=flags)

    def manifests(self) -> Iterable[Manifest]:
        return self._plan.manifests()

    def fits(self) -> bool:
        """Whether the machines that are there are those of the settings."""
        return _hostnames(self._layout) == set(self._machines) and all(
            self._machines[name].holds(settings.files(one)) for name, one in self._settings.items()
        )

    def start(self) -> None:
        """Boots all machines, and starts what is outside of the cluster; returns when all answer."""
        with ThreadPoolExecutor() as together:
            outside = together.submit(self._plan.outside.start)
            self._all(together, self._power_on)
            outside.result()

    def take_in(self) -> None:
        """Gives running machines the images of changed settings."""
        for machine in self._machines.values():
            for archive in self._plan.images:
                machine.hold(archive)

    def join(self, place: Place) -> None:
        """Starts what makes nodes of the machines, once the API server there knows them."""
        with ThreadPoolExecutor() as together:
            self._all(together, partial(self._join, place=place))

    def power_off(self, hostname: str) -> None:
        """Cuts the power of one, which stays off until it is powered on."""
        machine = self._named(hostname)
        machine.first()
        network.detach(self._number(hostname))
        machine.power_off()

    def power_on(self, hostname: str, place: Place) -> None:
        """Boots one that was switched off, with the disk that it had."""
        if not self._named(hostname).is_off():
            raise RehearsalError(f"node {hostname} is on")
        self._power_on(hostname)
        self._join(hostname, place)

    def _named(self, hostname: str) -> Machine:
        if hostname not in self._machines:
            raise RehearsalError(f"there is no node {hostname}; there are {', '.join(self._machines)}")
        return self._machines[hostname]

    def _number(self, hostname: str) -> int:
        return [*self._settings].index(hostname) + 1

    def _all(self, together: ThreadPoolExecutor, action: Callable[[str], None]) -> None:
        for done in [together.submit(action, hostname) for hostname in self._settings]:
            done.result()

    def _join(self, hostname: str, place: Place) -> None:
        setting, machine = self._settings[hostname], self._machines[hostname]
        machine.write(identities.files(setting, place))
        kubelet = machine.start("kubelet", settings.kubelet(setting))
        # Not the policy controller beside kube-proxy: it inserts and deletes rules by their number in a chain.
        for name, command in (
            ("kube-proxy", settings.kube_proxy(setting)),
            ("kube-router", settings.kube_router(setting)),
        ):
            machine.await_answer(settings.health(setting, name), machine.start(name, command), name)
        # Of an earlier start the API server may still have it that the node is ready.
        machine.await_answer(settings.health(setting, "kubelet"), kubelet, "kubelet")

    def _power_on(self, hostname: str) -> None:
        setting, machine = self._settings[hostname], self._machines[hostname]
        number, root = self._number(hostname), debian.root("node")
        machine.lay_out(root)
        machine.write(settings.files(setting))
        for path in disks_of(setting.hostname, self._plan.nodes, self._plan.disks):
            folder = machine.root / path.lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
            # As k3s' provisioner leaves it: a pod's user may write to it though nobody changes the owner.
            folder.chmod(0o777)
        booted = machine.power_on(
            root, {name: programs.installed(programs.named(name)) for name in ("kubelet", "kube-router")}
        )
        network.await_own(booted.pid)
        network.attach(
            network.Attachment(
                pid=booted.pid, number=number, address=setting.address, pods=setting.pods, cluster=setting.cluster
            )
        )
        machine.await_boot(booted)
        machine.run("iptables-restore", "--noflush", stdin=settings.masquerade(setting))
        containerd = machine.start("containerd", ["containerd"])
        machine.await_file(settings.CONTAINERD, containerd, "containerd")
        for archive in self._plan.images:
            machine.hold(archive)
