"""The cluster that runs before the program does, as production's: one control plane that the world starts itself."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from rehearsal.control_plane import control_plane
from rehearsal.control_plane.control_plane import KUBERNETES, ControlPlane, PortTakenError
from rehearsal.control_plane.flags import LOOPBACK, ClusterNetwork, ControlPlaneConfig
from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.control_plane.nodes import LocalVolume, Node, kwok_manifests
from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout
from rehearsal.processes import processes
from rehearsal.real_nodes.cluster import RealNodes

ATTEMPTS = 3
"""How often other ports are tried when somebody takes one before it is bound."""


class ExistingCluster:
    """Its nodes are played by the control plane, unless they are real ones."""

    def __init__(
        self,
        layout: Layout,
        *,
        network: ClusterNetwork,
        nodes: Iterable[Node],
        volumes: Iterable[LocalVolume],
        real: RealNodes | None = None,
    ) -> None:
        self._layout = layout
        self._network = network
        self._nodes, self._volumes = tuple(nodes), tuple(volumes)
        self._real = real
        self._control_plane: ControlPlane | None = None

    def start(
        self,
        *,
        preferred: Mapping[str, int],
        prepare: Callable[[Mapping[str, int]], None],
        base_manifests_installed: bool = False,
    ) -> dict[str, int]:
        """Starts it, at the preferred ports where they are free, and `prepare` beside it, which is told the ports; returns them.

        `furnished` says that the cluster's data holds what k3s would give it.
        """
        for _ in range(ATTEMPTS):
            ports = control_plane.choose_ports(preferred)
            place = self._place(ports)
            control_plane.create_certificates(place)
            control_plane.write_kubeconfigs(place, self._layout.kubeconfig)
            self._control_plane = ControlPlane(
                place, logs=self._layout.logs, run=partial(processes.start, self._layout)
            )
            try:
                # The engine's part needs no control plane, only the address it will have; nor do machines, before they join.
                with ThreadPoolExecutor(max_workers=2) as aside:
                    prepared = aside.submit(prepare, ports)
                    booted = aside.submit(self._real.start) if self._real else None
                    self._control_plane.start(
                        on_ready=(lambda: None) if base_manifests_installed else self._install_base_manifests
                    )
                    if self._real and booted:
                        booted.result()
                        self._real.join(place)
                    Kubectl(self._layout.kubeconfig).await_ready()
                    prepared.result()
            except PortTakenError:
                processes.stop(self._layout)
                preferred = {}
            else:
                return ports
        raise RehearsalError(f"no free ports: taken by others {ATTEMPTS} times between choosing and using them")

    def server_url(self, ports: Mapping[str, int]) -> str:
        """Where its API server is reached with these ports."""
        return self._place(ports).server_url

    def fits(self) -> bool:
        """Whether it can stay as it runs: real machines have the addresses that they were started with."""
        return self._real is None or self._real.matches_settings()

    def apply_settings(self) -> None:
        """Gives a running one the nodes of changed settings, and real ones their images."""
        if self._real:
            self._real.apply_settings()
        self._install_base_manifests()
        Kubectl(self._layout.kubeconfig).await_ready()

    def power(self, hostname: str, *, on: bool, ports: Mapping[str, int]) -> None:
        """Cuts the power of a real node, or boots it again."""
        if self._real is None:
            raise RehearsalError("the nodes of this world are played by kwok, and always on")
        if on:
            self._real.power_on(hostname, self._place(ports))
        else:
            self._real.power_off(hostname)

    def reap(self) -> None:
        """Collects the ended programs of this process, which would stay zombies until it ends."""
        if self._control_plane:
            self._control_plane.reap()

    def _install_base_manifests(self) -> None:
        played = kwok_manifests(self._nodes, volumes=self._volumes, kubelet_version=KUBERNETES.version)
        Kubectl(self._layout.kubeconfig).install_base_manifests(self._real.manifests() if self._real else played)

    def _place(self, ports: Mapping[str, int]) -> ControlPlaneConfig:
        place = ControlPlaneConfig(
            etcd_name="rehearsal",
            address=LOOPBACK,
            ports=ports,
            pki=self._layout.pki,
            etcd_data=self._layout.etcd,
            work_folder=self._layout.folder,
            network=self._network,
        )
        return self._real.control_plane_config(place) if self._real else place
