"""A world: a folder that holds a control plane, simulated clouds and a stack, from its start to its end."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ops import stackfile
from rehearsal.control_plane import control_plane
from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.engine import configuration, engine
from rehearsal.engine.configuration import StackSettings
from rehearsal.engine.placeholders import placeholder
from rehearsal.errors import RehearsalError
from rehearsal.layout import CHECKOUT, Layout, Record, world_version
from rehearsal.processes import processes
from rehearsal.real_nodes import cluster, network
from rehearsal.real_nodes.cluster_config import cluster_config
from rehearsal.world import account
from rehearsal.world.bootstrapped_cluster import BootstrappedCluster
from rehearsal.world.cloning import copy_world
from rehearsal.world.existing_cluster import ExistingCluster
from rehearsal.world.locks import locked
from tools.program import Program
from tools.programs import NODES
from tools.purposes import required_programs


class World:
    """Started by `up`, it outlives its starter until `down`; as a context manager it ends with the block, or with the process.

    `project` is the folder whose program and settings are rehearsed. With `real` nodes, whoever acts in the world is in its
    network: this process moves there by `up` or `enter`, and back by `down`. None leaves an earlier world's nodes as they are.
    `images` are archives that its nodes hold beside those they need.
    """

    def __init__(
        self,
        folder: Path,
        *,
        project: Path = CHECKOUT,
        real_nodes: bool | None = None,
        images: Sequence[Path] = (),
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.layout = Layout(folder.absolute())
        self.project = project
        self._real_nodes = real_nodes
        self._images = images
        self._host_network: int | None = None
        self._log = log
        self._guard: processes.Guard | None = None
        self._cluster: ExistingCluster | None = None

    def __enter__(self) -> Self:
        self.layout.make_folders()
        self._guard = processes.Guard(self.layout)
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

    @property
    def settings_file(self) -> Path:
        """Production's settings."""
        return self.project / f"Pulumi.{engine.STACK}.yaml"

    def choose_nodes(self, *, real_nodes: bool) -> None:
        """Of which kind its nodes shall be from the next `up` on; a RehearsalError where real ones cannot be."""
        if real_nodes:
            cluster.check_requirements()
        self._real_nodes = real_nodes

    def programs_needed(self) -> Sequence[Program]:
        """What must be built before it can start."""
        return [*required_programs(), *(NODES if self._wants_real(self.layout.read_record()) else ())]

    def _wants_real(self, record: Record | None) -> bool:
        return (record is not None and record.real_nodes) if self._real_nodes is None else self._real_nodes

    def is_up(self) -> bool:
        """Whether every program runs and the world is of this checkout's version."""
        record = self.layout.read_record()
        if record is None:
            return False
        if record.real_nodes:
            return cluster.is_running(self.layout)
        return (
            BootstrappedCluster(self.layout).is_running()
            if record.bootstrapped
            else set(self.programs()) >= control_plane.NAMES
        )

    def programs(self) -> Mapping[str, int]:
        """The running programs of the world and their process ids."""
        if self._is_bootstrapped():
            return BootstrappedCluster(self.layout).programs()
        if self.has_real_nodes():
            return cluster.running(self.layout)
        return {process.name(): process.pid for process in processes.running(self.layout)}

    def ports(self) -> Mapping[str, int]:
        """Where its programs listen, on loopback."""
        record = self.layout.read_record()
        return record.ports if record else {}

    def up(self) -> None:
        """Makes the world stand: starts it, mends a half-dead one, or takes in changed settings. Done twice, it does nothing."""
        source = configuration.settings_digest(self.settings_file)
        with locked(self.layout.lock):
            record = self.layout.read_record()
            if record is None or not self.is_up() or self._real_nodes not in {None, record.real_nodes}:
                self._start(record, source)
                return
            self.enter_network()
            if record.settings_digest != source:
                self._log("taking in the changed settings")
                self._apply_settings(record, source)

    def has_real_nodes(self) -> bool:
        """Whether it has, or had, real nodes."""
        return bool((record := self.layout.read_record()) and record.real_nodes)

    def enter_network(self) -> None:
        """Moves this thread, and what it starts, into the network of a world with real nodes; any other's is the machine's own."""
        if self._host_network is None and self.has_real_nodes():
            self._host_network = cluster.enter_network(self.layout)

    def _leave(self) -> None:
        if self._host_network is not None:
            network.leave(self._host_network)
            self._host_network = None

    def down(self, *, keep: bool = False) -> bool:
        """Ends every process and removes the folder, unless it is to be kept. Whether there was anything to end."""
        # One command at a time starts or ends a world.
        with locked(self.layout.lock):
            self._leave()
            ended = processes.stop(self.layout)
            if self._guard:
                self._guard.stop_world()
                self._guard = None
            if self._cluster:
                self._cluster.reap()
                self._cluster = None
            there = self.layout.folder.is_dir()
            if there and not keep:
                self._remove()
        return bool(ended) or there

    def pulumi(
        self, *arguments: str, check: bool = True, env: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a pulumi command in the world. With `check`, one that fails is a RehearsalError with its output."""
        done = engine.run(self.layout, arguments, project=self.project, extra=env, timeout=timeout)
        if check and done.returncode != 0:
            raise RehearsalError(
                f"pulumi {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done

    def start_pulumi(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts a pulumi command and returns at once: to be interrupted or killed in the middle."""
        return engine.start(self.layout, arguments, project=self.project)

    @contextmanager
    def ops_command(self, *arguments: str) -> Iterator[tuple[Sequence[str], Mapping[str, str]]]:
        """Production's own `python -m ops …`: command and environment, for as long as the clouds answer the vendors' clients."""
        # Here and not above: most commands do not need the providers' code.
        from rehearsal.clouds import api  # noqa: PLC0415

        tokens = api.Tokens(
            hetzner=str(placeholder("hetznerToken", self.layout.pki)),
            cloudflare=str(placeholder("cloudflareToken", self.layout.pki)),
        )
        with api.serving(self.layout.clouds, tokens) as endpoints:
            yield [sys.executable, "-m", "ops", *arguments], {**engine.environment(self.layout), **endpoints}

    def adopt(self, *, check: bool = True, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Adopts what lives in the world, unasked. With `check`, a failure is a RehearsalError with the output."""
        with self.ops_command("adopt", "--stack", engine.STACK, "--yes") as (command, environment):
            done = subprocess.run(
                command,
                cwd=self.project,
                env={**environment, **(env or {})},
                capture_output=True,
                text=True,
                check=False,
            )
        if check and done.returncode != 0:
            raise RehearsalError(f"adopt ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def outputs(self) -> Mapping[str, Any]:
        """The stack's outputs, the secret ones masked."""
        return dict(json.loads(self.pulumi("stack", "output", "--json").stdout))

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.kubectl_client().run(*arguments, stdin=stdin)

    def kubectl_json(self, *arguments: str) -> dict[str, Any]:
        return self.kubectl_client().run_json(*arguments)

    def kubectl_client(self) -> Kubectl:
        """The operator's kubectl; of a cluster that was founded here, by the stack's own output."""
        if self._is_bootstrapped():
            BootstrappedCluster(self.layout).write_kubeconfig()
        return Kubectl(self.layout.kubeconfig)

    def set_config(self, path: str, value: object) -> None:
        """Changes one of the copied settings, `honeydue:images.api` say; None removes it."""
        stackfile.set_value(self.layout.config, path, value)

    def power(self, hostname: str, *, on: bool) -> None:
        """Cuts the power of a real node; or boots it, and it joins the cluster again with the disk that it had."""
        stack = configuration.read_stack_settings(self.settings_file)
        self._adopted(stack, with_real=self.has_real_nodes()).power(hostname, on=on, ports=self.ports())

    def clone(self, folder: Path, *, project: Path | None = None) -> "World":
        """A stopped copy of this stopped world in another folder. It starts at ports of its own, and its state follows them.

        `project` is the copy's, if it is not this world's.
        """
        copy_world(self.layout, Layout(folder.absolute()))
        return World(folder, project=project or self.project)

    def _start(self, record: Record | None, source: str) -> None:
        self._leave()
        if processes.stop(self.layout):
            self._log("the world was half dead: its processes were ended")
        if record is None and self.layout.folder.exists():
            if self.layout.has_record():
                self._log("the world is of another version: it starts anew")
            self._remove()
        stack = configuration.read_stack_settings(self.settings_file)
        with_real = self._wants_real(record)
        if with_real:
            cluster.check_requirements(bootstrapped=stack.bootstrapped)
        if record and (record.bootstrapped, record.real_nodes) != (stack.bootstrapped, with_real):
            self._log("the cluster is another one now: the world starts anew")
            self._remove()
            record = None
        self.layout.make_folders()
        try:
            # What was set in the copy since stays, unless production's own settings have changed.
            same = record if record and record.settings_digest == source else None
            if with_real:
                self._host_network = cluster.enter_network(self.layout)
            ports = self._found(stack, same) if stack.bootstrapped else self._adopt(stack, record, same, with_real)
            self._remember(ports, source, stack, real=with_real)
        except BaseException:
            # Whatever went wrong, Ctrl-C included: nothing half-started is left behind.
            self._leave()
            processes.stop(self.layout)
            raise

    def _found(self, stack: StackSettings, same: Record | None) -> dict[str, int]:
        if same is None:
            self._prepare_stack(stack)
        BootstrappedCluster(self.layout).power_on()
        return {}

    def _adopt(
        self, stack: StackSettings, record: Record | None, same: Record | None, with_real: bool
    ) -> dict[str, int]:
        cluster = self._cluster = self._adopted(stack, with_real=with_real)

        def prepare(ports: Mapping[str, int]) -> None:
            if record and record.ports != ports:
                engine.replace_server_url(
                    self.layout, old=cluster.server_url(record.ports), new=cluster.server_url(ports)
                )
            if same is None:
                self._prepare_stack(stack)

        # The ports of a clone's original may be in use, by another clone of it for one.
        preferred = record.ports if record and not record.cloned else {}
        return cluster.start(
            preferred_ports=preferred, prepare=prepare, base_manifests_installed=bool(same and same.cloned)
        )

    def _adopted(self, stack: StackSettings, *, with_real: bool) -> ExistingCluster:
        real = cluster.RealNodes(self.layout, cluster_config(self.layout, stack, self._images)) if with_real else None
        return ExistingCluster(
            self.layout, network=stack.network, nodes=stack.nodes.values(), volumes=stack.volumes, real_nodes=real
        )

    def _apply_settings(self, record: Record, source: str) -> None:
        stack = configuration.read_stack_settings(self.settings_file)
        adopted = self._adopted(stack, with_real=record.real_nodes)
        if record.bootstrapped != stack.bootstrapped or not adopted.matches_settings():
            self._start(record, source)
            return
        self._prepare_stack(stack)
        if not stack.bootstrapped:
            adopted.apply_settings()
        self._remember(record.ports, source, stack, real=record.real_nodes)

    def _remember(self, ports: dict[str, int], source: str, stack: StackSettings, *, real: bool) -> None:
        self.layout.write_record(
            Record(
                version=world_version(),
                ports=ports,
                settings_digest=source,
                bootstrapped=stack.bootstrapped,
                real_nodes=real,
            )
        )

    def _is_bootstrapped(self) -> bool:
        return bool((record := self.layout.read_record()) and record.bootstrapped)

    def _prepare_stack(self, stack: StackSettings) -> None:
        account.write(self.layout, stack)
        engine.install(self.layout)
        kubeconfig = None if stack.bootstrapped else self.layout.kubeconfig.read_text()
        engine.prepare_stack(self.layout, source=self.settings_file, kubeconfig=kubeconfig)

    def _remove(self) -> None:
        if not self.layout.is_world_folder():
            raise RehearsalError(f"{self.layout.folder} holds something else than a world: not removed")
        shutil.rmtree(self.layout.folder)
