"""A world: a folder with a Kubernetes cluster, simulated clouds and a Pulumi stack."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from rehearsal.control_plane import control_plane
from rehearsal.engine import configuration
from rehearsal.engine.configuration import StackSettings
from rehearsal.engine.installation import install
from rehearsal.engine.plugins import Plugins, choose_plugins
from rehearsal.engine.stack import prepare_stack, replace_server_url
from rehearsal.errors import RehearsalError
from rehearsal.layout import CHECKOUT, Layout, Record, world_version
from rehearsal.processes import processes
from rehearsal.processes.disk import require_space
from rehearsal.real_nodes import cluster as real_cluster
from rehearsal.real_nodes import network
from rehearsal.real_nodes.cluster_config import cluster_config
from rehearsal.world import account, clouds
from rehearsal.world.bootstrapped_cluster import BootstrappedCluster
from rehearsal.world.cloning import copy_world
from rehearsal.world.commands import WorldCommands
from rehearsal.world.existing_cluster import ExistingCluster
from rehearsal.world.locks import locked
from tools.program import Program
from tools.programs import NODES
from tools.purposes import required_programs


class World(WorldCommands):
    """Runs from `up` to `down`. As a context manager, it ends with the block or with this process.

    Args:
        folder: the folder of the world.
        project: the folder of the Pulumi program and of the settings that the world rehearses.
        real_nodes: whether the nodes run containers. None keeps the kind of nodes that the world has. A world with real
            nodes has its own network namespace: `up` and `enter_network` move this thread into it, `down` moves it out.
        plugins: the provider plugins. None keeps those of the world. A new world then follows the variable PLUGINS.
        images: more image archives that real nodes import.
        log: receives a message about each decision of `up`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        project: Path = CHECKOUT,
        real_nodes: bool | None = None,
        plugins: Plugins | None = None,
        images: Sequence[Path] = (),
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(Layout(folder.absolute()), project)
        self._real_nodes = real_nodes
        self.plugins = plugins
        self._images = images
        self._host_network: int | None = None
        self._log = log
        self._watchdog: processes.Watchdog | None = None
        self._cluster: ExistingCluster | None = None

    def __enter__(self) -> Self:
        self.layout.make_folders()
        self._watchdog = processes.Watchdog(self.layout)
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def choose_nodes(self, *, real_nodes: bool) -> None:
        """Chooses the kind of nodes for the next `up`. Raises a RehearsalError when real nodes cannot run here."""
        if real_nodes:
            real_cluster.check_requirements()
        self._real_nodes = real_nodes

    def required_programs(self) -> Sequence[Program]:
        """The programs that must be installed before `up`."""
        return [*required_programs(), *(NODES if self._use_real_nodes(self.layout.read_record()) else ())]

    def is_up(self) -> bool:
        """Whether every program runs and the world has the version of this checkout."""
        record = self.layout.read_record()
        if record is None or not clouds.is_running(self.layout):
            return False
        if record.real_nodes:
            return real_cluster.is_running(self.layout)
        if record.bootstrapped:
            return BootstrappedCluster(self.layout).is_running()
        return set(self.programs()) >= control_plane.NAMES

    def programs(self) -> Mapping[str, int]:
        """The process ids of the running programs by name."""
        if self._is_bootstrapped():
            return BootstrappedCluster(self.layout).programs()
        if self.has_real_nodes():
            return real_cluster.running(self.layout)
        return {process.name(): process.pid for process in processes.running(self.layout)}

    def ports(self) -> Mapping[str, int]:
        """The ports of the control plane on loopback, by name."""
        record = self.layout.read_record()
        return record.ports if record else {}

    def has_real_nodes(self) -> bool:
        """Whether the world was started with real nodes."""
        return bool((record := self.layout.read_record()) and record.real_nodes)

    def up(self) -> None:
        """Starts the world, restarts an incomplete one, or applies changed settings. Otherwise does nothing."""
        digest = configuration.settings_digest(self.settings_file)
        with locked(self.layout.lock):
            record = self.layout.read_record()
            if record is None or not self.is_up() or self._real_nodes not in {None, record.real_nodes}:
                self._start(record, digest)
                return
            self.enter_network()
            plugins = choose_plugins(self.plugins, record.real_plugins, log=self._log)
            if plugins != record.real_plugins:
                install(self.layout, plugins)
                record = replace(record, real_plugins=plugins)
                self.layout.write_record(record)
            if record.settings_digest != digest:
                self._log("applying the changed settings")
                self._apply_settings(record, digest)

    def enter_network(self) -> None:
        """Moves this thread and its future children into the network of real nodes. Otherwise does nothing."""
        if self._host_network is None and self.has_real_nodes():
            self._host_network = real_cluster.enter_network(self.layout)

    def down(self, *, keep: bool = False) -> bool:
        """Ends every process, and removes the folder unless `keep`. Returns whether there was a world."""
        with locked(self.layout.lock):
            self._leave_network()
            count = processes.stop(self.layout)
            if self._watchdog:
                self._watchdog.stop_world()
                self._watchdog = None
            if self._cluster:
                self._cluster.reap()
                self._cluster = None
            folder_exists = self.layout.folder.is_dir()
            if folder_exists and not keep:
                self._remove()
        return bool(count) or folder_exists

    def power(self, hostname: str, *, on: bool, new_disk: bool = False, pull: bool = False) -> None:
        """Cuts the power of a real node, or boots it with its disk or a new one so that it joins the cluster again.

        With `pull`, a node with a new disk pulls the images of the release instead of importing them.
        """
        stack = configuration.read_stack_settings(self.settings_file)
        cluster = self._existing_cluster(stack, real_nodes=self.has_real_nodes(), pull=pull)
        cluster.power(hostname, on=on, new_disk=new_disk, ports=self.ports())

    def clone(self, folder: Path, *, project: Path | None = None) -> "World":
        """Copies this stopped world, with another project if given. The copy gets its own ports when it starts."""
        copy_world(self.layout, Layout(folder.absolute()))
        return World(folder, project=project or self.project)

    def _start(self, record: Record | None, digest: str) -> None:
        self._leave_network()
        if processes.stop(self.layout):
            self._log("ended the processes of an earlier start: some of them were missing")
        if record is None and self.layout.folder.exists():
            if self.layout.has_record():
                self._log("recreating the world: another version of this checkout created it")
            self._remove()
        stack = configuration.read_stack_settings(self.settings_file)
        real_nodes = self._use_real_nodes(record)
        if real_nodes:
            real_cluster.check_requirements(bootstrapped=stack.bootstrapped)
        if record and (record.bootstrapped, record.real_nodes) != (stack.bootstrapped, real_nodes):
            self._log("recreating the world: the kind of cluster or of its nodes has changed")
            self._remove()
            record = None
        self.layout.make_folders()
        require_space(self.layout.folder)
        plugins = choose_plugins(self.plugins, record.real_plugins if record else None, log=self._log)
        install(self.layout, plugins)
        # Keep changes of the copied settings, unless production's settings have changed since.
        prepared = bool(record and record.settings_digest == digest)
        try:
            if real_nodes:
                self._host_network = real_cluster.enter_network(self.layout)
            if stack.bootstrapped:
                ports = self._start_bootstrapped(stack, prepared=prepared)
            else:
                ports = self._start_existing(stack, record, prepared=prepared, real_nodes=real_nodes)
            self._write_record(ports, digest, stack, real_nodes=real_nodes, real_plugins=plugins)
        except BaseException:
            # Including KeyboardInterrupt: never leave a partly started world.
            self._leave_network()
            processes.stop(self.layout)
            raise

    def _start_bootstrapped(self, stack: StackSettings, *, prepared: bool) -> dict[str, int]:
        self._start_clouds(stack, prepared=prepared)
        BootstrappedCluster(self.layout).power_on()
        return {}

    def _start_existing(
        self, stack: StackSettings, record: Record | None, *, prepared: bool, real_nodes: bool
    ) -> dict[str, int]:
        cluster = self._cluster = self._existing_cluster(stack, real_nodes=real_nodes)
        cloned = bool(record and record.cloned)

        def prepare(ports: Mapping[str, int]) -> None:
            if record and record.ports != ports:
                replace_server_url(self.layout, old=cluster.server_url(record.ports), new=cluster.server_url(ports))
            self._start_clouds(stack, prepared=prepared)

        return cluster.start(
            # Keep the ports, because kubeconfig and state contain them. Those of a clone may be in use by the original.
            preferred_ports=record.ports if record and not cloned else {},
            prepare=prepare,
            base_manifests_installed=prepared and cloned,
        )

    def _start_clouds(self, stack: StackSettings, *, prepared: bool) -> None:
        served = clouds.start(self.layout)
        if not prepared:
            self._prepare_stack(stack)
        clouds.wait(self.layout, served)

    def _existing_cluster(self, stack: StackSettings, *, real_nodes: bool, pull: bool = False) -> ExistingCluster:
        config = cluster_config(self.layout, stack, self._images, pull=pull) if real_nodes else None
        return ExistingCluster(
            self.layout,
            network=stack.network,
            nodes=stack.nodes.values(),
            volumes=stack.volumes,
            real_nodes=real_cluster.RealNodes(self.layout, config) if config else None,
        )

    def _apply_settings(self, record: Record, digest: str) -> None:
        stack = configuration.read_stack_settings(self.settings_file)
        cluster = self._existing_cluster(stack, real_nodes=record.real_nodes)
        if record.bootstrapped != stack.bootstrapped or not cluster.matches_settings():
            self._start(record, digest)
            return
        self._prepare_stack(stack)
        if not stack.bootstrapped:
            cluster.apply_settings()
        self._write_record(record.ports, digest, stack, real_nodes=record.real_nodes, real_plugins=record.real_plugins)

    def _write_record(
        self,
        ports: dict[str, int],
        digest: str,
        stack: StackSettings,
        *,
        real_nodes: bool,
        real_plugins: dict[str, str],
    ) -> None:
        self.layout.write_record(
            Record(
                version=world_version(),
                ports=ports,
                settings_digest=digest,
                bootstrapped=stack.bootstrapped,
                real_nodes=real_nodes,
                real_plugins=real_plugins,
            )
        )

    def _prepare_stack(self, stack: StackSettings) -> None:
        if changed := configuration.changed_in_copy(self.layout):
            self._log(f"the settings file has changed, and replaces what was set in the world: {', '.join(changed)}")
        real_nodes = self._use_real_nodes(self.layout.read_record())
        account.write(self.layout, stack, real_nodes=real_nodes)
        kubeconfig = None if stack.bootstrapped else self.layout.kubeconfig.read_text()
        prepare_stack(self.layout, settings_file=self.settings_file, kubeconfig=kubeconfig, stand_in_images=real_nodes)

    def _use_real_nodes(self, record: Record | None) -> bool:
        return bool(record and record.real_nodes) if self._real_nodes is None else self._real_nodes

    def _leave_network(self) -> None:
        if self._host_network is not None:
            network.leave(self._host_network)
            self._host_network = None

    def _remove(self) -> None:
        if not self.layout.is_world_folder():
            raise RehearsalError(
                f"{self.layout.folder} is not the folder of a world. It was not removed: remove it manually"
            )
        shutil.rmtree(self.layout.folder)
