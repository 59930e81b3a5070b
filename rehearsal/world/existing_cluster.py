"""The cluster of a world that exists before the Pulumi program runs, as production's."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

from rehearsal.control_plane import control_plane
from rehearsal.control_plane.control_plane import KUBERNETES, ControlPlane, PortTakenError
from rehearsal.control_plane.flags import ClusterNetwork, ControlPlaneConfig
from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.control_plane.nodes import LocalVolume, Node, kwok_manifests
from rehearsal.control_plane.snapshots import snapshot_manifests
from rehearsal.errors import RehearsalError
from rehearsal.layout import CHECKOUT, Layout
from rehearsal.loopback import LOOPBACK
from rehearsal.processes import processes
from rehearsal.processes.ports import free_ports
from rehearsal.real_nodes import metrics_server
from rehearsal.real_nodes.cluster import RealNodes
from rehearsal.traefik import helm_controller

ATTEMPTS = 3
"""How often the start is tried with other ports, when another program binds one of them first."""


class ExistingCluster:
    """One control plane, whose nodes are real nodes or simulated by kwok."""

    def __init__(
        self,
        layout: Layout,
        *,
        network: ClusterNetwork,
        nodes: Iterable[Node],
        volumes: Iterable[LocalVolume],
        real_nodes: RealNodes | None = None,
    ) -> None:
        self._layout = layout
        self._network = network
        self._nodes, self._volumes = tuple(nodes), tuple(volumes)
        self._real_nodes = real_nodes
        self._control_plane: ControlPlane | None = None

    def start(
        self,
        *,
        preferred_ports: Mapping[str, int],
        prepare: Callable[[Mapping[str, int]], None],
        base_manifests_installed: bool = False,
    ) -> dict[str, int]:
        """Starts the cluster and returns its ports: the preferred ones where they are free.

        `prepare` runs in parallel and receives the ports. `base_manifests_installed` skips the base manifests, when
        etcd already contains them.
        """
        for _ in range(ATTEMPTS):
            ports = free_ports(control_plane.PORTS, preferred=preferred_ports)
            config = self._control_plane_config(ports)
            control_plane.create_certificates(config)
            control_plane.write_kubeconfigs(config, self._layout.kubeconfig)
            self._control_plane = ControlPlane(
                config, logs=self._layout.logs, run=partial(processes.start, self._layout)
            )
            on_ready = (lambda: None) if base_manifests_installed else self._install_base_manifests
            try:
                # In parallel: `prepare` needs only the API server's URL, and machines boot without a control plane.
                with ThreadPoolExecutor(max_workers=2) as executor:
                    prepared = executor.submit(prepare, ports)
                    booted = executor.submit(self._real_nodes.start) if self._real_nodes else None
                    self._control_plane.start(on_ready=on_ready)
                    if self._real_nodes and booted:
                        booted.result()
                        self._real_nodes.join(config)
                    self._await_ready()
                    prepared.result()
            except PortTakenError:
                processes.stop(self._layout)
                preferred_ports = {}
            else:
                self._start_controllers(config)
                return ports
        raise RehearsalError(
            f"could not start the control plane: other programs bound its ports {ATTEMPTS} times before it could."
            " Run the command again."
        )

    def server_url(self, ports: Mapping[str, int]) -> str:
        """The URL of the API server with these ports."""
        return self._control_plane_config(ports).server_url

    def matches_settings(self) -> bool:
        """Whether a running cluster can adopt the settings. Real nodes must be restarted to change their addresses."""
        return self._real_nodes is None or self._real_nodes.matches_settings()

    def apply_settings(self) -> None:
        """Adds the nodes of changed settings to the running cluster, and their images to real nodes."""
        if self._real_nodes:
            self._real_nodes.apply_settings()
        self._install_base_manifests()
        self._await_ready()

    def power(self, hostname: str, *, on: bool, new_disk: bool = False, ports: Mapping[str, int]) -> None:
        """Cuts the power of a real node, or boots it again. With `new_disk`, it is a new machine of the same name."""
        if self._real_nodes is None:
            raise RehearsalError(
                "the nodes of this world are simulated and always on. Only real nodes (NODES=real) can be powered off"
            )
        if new_disk:
            self._rebuild(self._real_nodes, hostname, self._control_plane_config(ports))
        elif on:
            self._real_nodes.power_on(hostname, self._control_plane_config(ports))
        else:
            self._real_nodes.power_off(hostname)

    def reap(self) -> None:
        """Waits for programs that were killed. Otherwise they stay zombies until this process ends."""
        if self._control_plane:
            self._control_plane.reap()

    def _rebuild(self, real_nodes: RealNodes, hostname: str, config: ControlPlaneConfig) -> None:
        kubectl = Kubectl(self._layout.kubeconfig)
        bound = [
            volume["metadata"]["name"]
            for volume in kubectl.run_json("get", "persistentvolumes")["items"]
            if volume["status"]["phase"] == "Bound"
        ]
        real_nodes.erase(hostname)
        # As k3s-role does on a server that joins: it removes the Node that has its name. An interrupted run may have
        # deleted it.
        kubectl.run("delete", "node", hostname, "--ignore-not-found")
        kubectl.apply(
            manifest
            for manifest in real_nodes.manifests()
            if (manifest["kind"], manifest["metadata"]["name"]) == ("Node", hostname)
        )
        real_nodes.set_up(hostname, config, bound_volumes=bound)

    def _start_controllers(self, config: ControlPlaneConfig) -> None:
        helm = [sys.executable, "-m", helm_controller.__name__, str(self._layout.kubeconfig)]
        self._start_controller(helm_controller.PROGRAM, helm)
        if self._real_nodes:
            self._start_controller(metrics_server.NAME, metrics_server.command(config))
            registration = metrics_server.registration_arguments(config, self._layout.kubeconfig)
            self._start_controller(metrics_server.REGISTRATION, registration)

    def _start_controller(self, name: str, command: Sequence[str]) -> None:
        environment = {**processes.world_environment(self._layout), "PYTHONPATH": str(CHECKOUT)}
        processes.start(self._layout, name, command, environment=environment)

    def _install_base_manifests(self) -> None:
        manifests = (
            self._real_nodes.manifests()
            if self._real_nodes
            else kwok_manifests(self._nodes, volumes=self._volumes, kubelet_version=KUBERNETES.version)
        )
        Kubectl(self._layout.kubeconfig).install_base_manifests(manifests)

    def _await_ready(self) -> None:
        """Also records a snapshot of etcd on each node, which k3s would take on its schedule."""
        snapshots = snapshot_manifests((node.hostname for node in self._nodes), datetime.now(UTC))
        Kubectl(self._layout.kubeconfig).await_ready(snapshots)

    def _control_plane_config(self, ports: Mapping[str, int]) -> ControlPlaneConfig:
        config = ControlPlaneConfig(
            etcd_name="rehearsal",
            address=LOOPBACK,
            ports=ports,
            pki=self._layout.pki,
            etcd_data=self._layout.etcd,
            work_folder=self._layout.folder,
            network=self._network,
        )
        return self._real_nodes.control_plane_config(config) if self._real_nodes else config
