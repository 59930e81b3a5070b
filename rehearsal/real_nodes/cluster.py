"""The real nodes of a world: their network, their machines, and the programs that join them to the control plane."""

import os
import platform
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path

from rehearsal.control_plane.flags import ClusterNetwork, ControlPlaneConfig
from rehearsal.control_plane.nodes import LocalVolume, Manifest, Node, real_node_manifests, volume_paths
from rehearsal.errors import RehearsalError
from rehearsal.external.database import ExternalDatabase
from rehearsal.external.server import ExternalServer
from rehearsal.layout import Layout
from rehearsal.processes import processes
from rehearsal.real_nodes import addons, api_proxy, audit, credentials, metrics_server, network, node_config
from rehearsal.real_nodes.machine import NODE_VARIABLE, PATH, Machine, node_of
from rehearsal.real_nodes.node_config import NodeConfig
from tools import debian, programs
from tools.cache import install_folder

NETWORK = ".network"
"""NODE_VARIABLE of the process that keeps the world's network namespace. No hostname starts with a dot."""
NODE_PROGRAMS = ("containerd", "api-proxy", "kubelet", "kube-proxy", "kube-router")
CONTROL_PLANE_PROGRAMS = frozenset(
    {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", metrics_server.NAME}
)
PACKAGES = ("node", "postgresql", "redis", "redis-exporter", "backup")
"""The sets of Debian packages that the programs of a world with real nodes need."""
TOLERATION_SECONDS = 60
"""How long a pod stays bound to a node that is not ready or unreachable."""
TOOLS = ("unshare", "nsenter", "mount", "umount", "pivot_root")


def enter_network(layout: Layout) -> int:
    """Moves this thread into the world's network namespace, and creates the namespace if it does not exist.

    Returns the descriptor of the previous namespace, for `network.leave`.
    """
    # The world's network has no route to Debian's archive: download everything before entering it.
    for packages in PACKAGES:
        debian.root_filesystem(packages)
    owner = next((process for process in processes.running(layout) if node_of(process)[0] == NETWORK), None)
    if owner:
        return network.enter(network.namespace_of(owner.pid))
    environment = {"PATH": PATH, NODE_VARIABLE: NETWORK}
    process = processes.start(layout, "network", ["unshare", "--net", "sleep", "infinity"], environment=environment)
    network.wait_for_namespace(process.pid)
    previous = network.enter(network.namespace_of(process.pid))
    network.set_up_router()
    return previous


def running(layout: Layout) -> Mapping[str, int]:
    """The process ids of the programs of such a world. The key of a node's program is `<hostname>/<program>`."""
    pids = {}
    for process in processes.running(layout):
        node, name = node_of(process)
        if node == NETWORK:
            pids[NETWORK] = process.pid
        elif node is None and name in CONTROL_PLANE_PROGRAMS:
            pids[name] = process.pid
        elif name in NODE_PROGRAMS:
            pids[f"{node}/{name}"] = process.pid
    return pids


def is_running(layout: Layout) -> bool:
    """Whether every program runs, except those of machines that were powered off on purpose."""
    nodes = [hostname for hostname in _hostnames(layout) if not Machine(layout=layout, hostname=hostname).is_off()]
    node_programs = {f"{hostname}/{name}" for hostname in nodes for name in NODE_PROGRAMS}
    return {NETWORK, *CONTROL_PLANE_PROGRAMS, *node_programs} <= set(running(layout))


def _hostnames(layout: Layout) -> set[str]:
    return {folder.name for folder in layout.nodes.glob("*")}


def check_requirements(*, bootstrapped: bool = False) -> None:
    """Raises a RehearsalError of one line when real nodes cannot run here or cannot join this cluster."""
    instead = "rehearse with simulated nodes instead: NODES=kwok"
    if bootstrapped:
        raise RehearsalError(
            "real nodes can only join a cluster that exists before the program runs, "
            f"but honeydue:cluster.initNode is set; {instead}"
        )
    if platform.system() != "Linux":
        raise RehearsalError(f"real nodes need Linux; {instead}")
    if os.geteuid() != 0:
        raise RehearsalError(f"real nodes need root, for namespaces, mounts and iptables rules; {instead}")
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise RehearsalError(f"real nodes need {', '.join(missing)} of util-linux; {instead}")


@dataclass(frozen=True, kw_only=True)
class ClusterConfig:
    """The configuration of all real nodes of a world."""

    network: ClusterNetwork
    dns: str
    """The cluster IP of the DNS Service."""
    nodes: Sequence[Node]
    volumes: Sequence[LocalVolume] = ()
    database: ExternalDatabase
    servers: Sequence[ExternalServer] = ()
    """The other servers outside of the cluster."""
    images: Sequence[Path]
    """The image archives that every node imports."""
    audited: bool = False
    """Whether the API server writes the audit log of a k3s server, on the first node."""
    monitored: bool = False
    """Whether etcd measures its disk."""

    def node_configs(self) -> list[NodeConfig]:
        """The configuration of each node, in the order of `nodes`."""
        ranges = node_config.pod_ranges(self.network.pod_cidr, len(self.nodes))
        return [
            NodeConfig(
                hostname=node.hostname,
                address=_address(node),
                pods=pods,
                cluster=IPv4Network(self.network.pod_cidr),
                services=self.network.service_cidr,
                dns=self.dns,
            )
            for node, pods in zip(self.nodes, ranges, strict=True)
        ]

    def manifests(self) -> Iterator[Manifest]:
        """The objects that must exist before the kubelets start."""
        configs = self.node_configs()
        nodes = [replace(node, pod_cidr=str(config.pods)) for node, config in zip(self.nodes, configs, strict=True)]
        yield from real_node_manifests(nodes, volumes=self.volumes)
        yield from api_proxy.manifests(configs, cluster_ip=self.network.apiserver_cluster_ip)
        hosts = self.database.addresses
        for server in self.servers:
            hosts |= server.addresses
        yield from addons.manifests(dns=self.dns, external_hosts=hosts)
        yield from metrics_server.manifests()


def _address(node: Node) -> str:
    if node.ipv4 is None:
        raise RehearsalError(f"honeydue:nodes: {node.hostname} has no ipv4, but a real node needs one")
    return node.ipv4


class RealNodes:
    """The machines of a world with real nodes. They start with the world's control plane and end with the world."""

    def __init__(self, layout: Layout, config: ClusterConfig) -> None:
        self._layout = layout
        self._config = config
        self._nodes = {node.hostname: node for node in config.node_configs()}
        self._machines = {hostname: Machine(layout=layout, hostname=hostname) for hostname in self._nodes}

    def control_plane_config(self, config: ControlPlaneConfig) -> ControlPlaneConfig:
        """The configuration of the control plane with an address that nodes and pods can reach."""
        flags = {
            "kube-apiserver": [
                # Connect to each kubelet by the address of its Node.
                "kubelet-preferred-address-types=InternalIP",
                # Kubernetes' default, and production's, is 300 s. A rehearsal of a lost node need not wait 5 minutes.
                f"default-not-ready-toleration-seconds={TOLERATION_SECONDS}",
                f"default-unreachable-toleration-seconds={TOLERATION_SECONDS}",
                *api_proxy.APISERVER_FLAGS,
                *metrics_server.APISERVER_FLAGS,
                *audit.apiserver_flags(self._config.audited, self._machines, config.work_folder),
            ],
            "etcd": api_proxy.etcd_flags(monitored=self._config.monitored),
        }
        return replace(
            config,
            address=network.ROUTER,
            network=replace(self._config.network, advertise_address=network.ROUTER),
            # Pods connect to the API server at the addresses of the nodes.
            tls_sans=[node.address for node in self._nodes.values()],
            kwok=False,
            extra_flags=flags,
        )

    def manifests(self) -> Iterable[Manifest]:
        """The objects that must exist before the kubelets start."""
        return self._config.manifests()

    def matches_settings(self) -> bool:
        """Whether the machines that exist are exactly those of the settings, with the same configuration files."""
        return _hostnames(self._layout) == set(self._machines) and all(
            self._machines[hostname].has_files(node_config.files(node)) for hostname, node in self._nodes.items()
        )

    def start(self) -> None:
        """Boots all machines and starts the servers outside of the cluster. Returns when all are ready."""
        with ThreadPoolExecutor() as executor:
            starts = [self._config.database.start, *(server.start for server in self._config.servers)]
            servers = [executor.submit(start) for start in starts]
            list(executor.map(self._power_on, self._nodes))
            for server in servers:
                server.result()

    def apply_settings(self) -> None:
        """Imports the images of changed settings into running machines."""
        for machine in self._machines.values():
            for archive in self._config.images:
                machine.import_images(archive)

    def join(self, config: ControlPlaneConfig) -> None:
        """Starts the kubelet, kube-proxy and kube-router on every machine. The Nodes must exist in the API server."""
        with ThreadPoolExecutor() as executor:
            list(executor.map(partial(self._join, config=config), self._nodes))

    def power_off(self, hostname: str) -> None:
        """Cuts the power of a node. It stays off until `power_on`."""
        machine = self._machine(hostname)
        machine.init_pid()
        network.detach(self._number(hostname))
        machine.power_off()

    def power_on(self, hostname: str, config: ControlPlaneConfig) -> None:
        """Boots a node that was powered off, with the disk that it had."""
        if not self._machine(hostname).is_off():
            raise RehearsalError(f"node {hostname} is already on")
        self._power_on(hostname)
        self._join(hostname, config)

    def erase(self, hostname: str) -> None:
        """Cuts the power of a node, if it is on, and removes its disk."""
        machine = self._machine(hostname)
        if not machine.is_off():
            self.power_off(hostname)
        if machine.root.exists():
            shutil.rmtree(machine.root)

    def set_up(self, hostname: str, config: ControlPlaneConfig, *, bound_volumes: Collection[str]) -> None:
        """Boots a node without a disk, and joins it. Its Node must exist. `bound_volumes` get no folder."""
        self._power_on(hostname, bound_volumes=bound_volumes)
        self._join(hostname, config)

    def _machine(self, hostname: str) -> Machine:
        if hostname not in self._machines:
            raise RehearsalError(f"no node is named {hostname}; the nodes are {', '.join(self._machines)}")
        return self._machines[hostname]

    def _number(self, hostname: str) -> int:
        return [*self._nodes].index(hostname) + 1

    def _join(self, hostname: str, config: ControlPlaneConfig) -> None:
        node, machine = self._nodes[hostname], self._machines[hostname]
        machine.write(credentials.files(node, config))
        proxy = machine.start("api-proxy", api_proxy.command(node, config))
        machine.wait_for_port(node.address, api_proxy.API, proxy, "api-proxy")
        kubelet = machine.start("kubelet", node_config.kubelet(node))
        # One after the other: both insert and delete iptables rules by their number in a chain, and would race.
        for name, command in (
            ("kube-proxy", node_config.kube_proxy(node)),
            ("kube-router", node_config.kube_router(node)),
        ):
            machine.wait_for_http(node_config.health_url(node, name), machine.start(name, command), name)
        # Probe the kubelet itself: after a restart, the Node's status may still be Ready from before.
        machine.wait_for_http(node_config.health_url(node, "kubelet"), kubelet, "kubelet")

    def _power_on(self, hostname: str, bound_volumes: Collection[str] = ()) -> None:
        node, machine = self._nodes[hostname], self._machines[hostname]
        number, root = self._number(hostname), debian.root_filesystem("node")
        new = not machine.has_disk
        machine.prepare_disk(root)
        machine.write(node_config.files(node))
        if new:
            self._make_volume_folders(machine, bound_volumes)
        boot = machine.power_on(
            root, {name: install_folder(programs.by_name(name)) for name in ("kubelet", "kube-router", "api-proxy")}
        )
        network.wait_for_namespace(boot.pid)
        network.attach(
            network.Attachment(pid=boot.pid, number=number, address=node.address, pods=node.pods, cluster=node.cluster)
        )
        machine.wait_for_boot(boot)
        machine.run("iptables-restore", "--noflush", stdin=node_config.masquerade(node))
        containerd = machine.start("containerd", ["containerd"])
        machine.wait_for_file(node_config.CONTAINERD, containerd, "containerd")
        for archive in self._config.images:
            machine.import_images(archive)

    def _make_volume_folders(self, machine: Machine, bound_volumes: Collection[str]) -> None:
        """Creates the folders of volumes without a claim, as k3s' provisioner does when a claim gets a new volume.

        Nothing creates the folder of a bound volume again when the disk of its node was lost.
        """
        for name, path in volume_paths(machine.hostname, self._config.nodes, self._config.volumes).items():
            if name not in bound_volumes:
                folder = machine.root / path.lstrip("/")
                folder.mkdir(parents=True)
                # The mode that the provisioner sets, so that a pod's user can write.
                folder.chmod(0o777)
