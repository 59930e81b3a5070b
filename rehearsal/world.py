"""A world: a folder that holds a control plane, simulated clouds and a stack, from its start to its end."""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ops import stackfile
from rehearsal import configuration, controlplane, engine, kubectl, processes
from rehearsal.configuration import Stack
from rehearsal.controlplane import ControlPlane, PortTakenError
from rehearsal.errors import RehearsalError
from rehearsal.layout import CHECKOUT, Layout, Record, this_version
from rehearsal.placeholders import placeholder

ATTEMPTS = 3
"""How often other ports are tried when somebody takes one before it is bound."""


class World:
    """Started by `up`, it outlives its starter until `down`; as a context manager it ends with the block, or with the process.

    `project` is the folder whose program and settings are rehearsed.
    """

    def __init__(self, folder: Path, *, project: Path = CHECKOUT, say: Callable[[str], None] = lambda _: None) -> None:
        self.layout = Layout(folder.absolute())
        self.project = project
        self._say = say
        self._guard: processes.Guard | None = None
        self._control_plane: ControlPlane | None = None

    def __enter__(self) -> Self:
        self.layout.make_folders()
        self._guard = processes.Guard(self.layout)
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.down()

    @property
    def source(self) -> Path:
        """Production's settings."""
        return self.project / f"Pulumi.{engine.STACK}.yaml"

    def is_up(self) -> bool:
        """Whether every program runs and the world is of this checkout's version."""
        return self.layout.read_record() is not None and set(self.programs()) >= controlplane.NAMES

    def programs(self) -> Mapping[str, int]:
        """The running programs of the world and their process ids."""
        return {process.name(): process.pid for process in processes.running(self.layout)}

    def ports(self) -> Mapping[str, int]:
        """Where its programs listen, on loopback."""
        record = self.layout.read_record()
        return record.ports if record else {}

    def up(self) -> None:
        """Makes the world stand: starts it, mends a half-dead one, or takes in changed settings. Done twice, it does nothing."""
        source = configuration.digest(self.source)
        with self._locked():
            record = self.layout.read_record()
            if record is None or not self.is_up():
                self._start(record, source)
            elif record.config_source != source:
                self._say("taking in the changed settings")
                self._take_in(configuration.read_stack(self.source), record.ports, source)

    def down(self, *, keep: bool = False) -> bool:
        """Ends every process and removes the folder, unless it is to be kept. Whether there was anything to end."""
        with self._locked():
            ended = processes.stop(self.layout)
            if self._guard:
                self._guard.dismiss()
                self._guard = None
            if self._control_plane:
                self._control_plane.reap()
                self._control_plane = None
            there = self.layout.folder.is_dir()
            if there and not keep:
                self._remove()
        return bool(ended) or there

    def restart(self) -> None:
        """Kills the control plane as a power cut would, and brings it back with what it held."""
        processes.stop(self.layout)
        self.up()

    def pulumi(
        self, *arguments: str, check: bool = True, env: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a pulumi command in the world. With `check`, one that fails is a RehearsalError with its output."""
        done = engine.run(self.layout, arguments, project=self.project, extra=env, timeout=timeout)
        if check and done.returncode != 0:
            raise RehearsalError(f"pulumi {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def start_pulumi(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts a pulumi command and returns at once: to be interrupted or killed in the middle."""
        return engine.start(self.layout, arguments, project=self.project)

    @contextmanager
    def adopting(self, *arguments: str) -> Iterator[tuple[Sequence[str], Mapping[str, str]]]:
        """Production's own `adopt`: its command and environment, for as long as the clouds answer the vendors' clients."""
        # Here and not above: most commands do not need the providers' code.
        from rehearsal.clouds import api  # noqa: PLC0415

        tokens = api.Tokens(
            hetzner=str(placeholder("hetznerToken", self.layout.pki)), cloudflare=str(placeholder("cloudflareToken", self.layout.pki))
        )
        with api.serving(self.layout.clouds, tokens) as endpoints:
            yield (
                [sys.executable, "-m", "ops", "adopt", "--stack", engine.STACK, *arguments],
                {**engine.environment(self.layout), **endpoints},
            )

    def adopt(self, *, check: bool = True, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Adopts what lives in the world, unasked. With `check`, a failure is a RehearsalError with the output."""
        with self.adopting("--yes") as (command, environment):
            done = subprocess.run(
                command, cwd=self.project, env={**environment, **(env or {})}, capture_output=True, text=True, check=False
            )
        if check and done.returncode != 0:
            raise RehearsalError(f"adopt ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def outputs(self) -> Mapping[str, Any]:
        """The stack's outputs, the secret ones masked."""
        outputs: dict[str, Any] = json.loads(self.pulumi("stack", "output", "--json").stdout)
        return outputs

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return kubectl.run(self.layout, *arguments, stdin=stdin)

    def kubectl_json(self, *arguments: str) -> dict[str, Any]:
        return kubectl.read(self.layout, *arguments)

    def set_config(self, path: str, value: object) -> None:
        """Changes one of the copied settings, `honeydue:images.api` say; None removes it."""
        stackfile.set_value(self.layout.config, path, value)

    def _start(self, record: Record | None, source: str) -> None:
        if processes.stop(self.layout):
            self._say("the world was half dead: its processes were ended")
        if record is None and self.layout.folder.exists():
            if self.layout.has_record():
                self._say("the world is of another version: it starts anew")
            self._remove()
        stack = configuration.read_stack(self.source)
        self.layout.make_folders()
        controlplane.create_certificates(self.layout, stack.network)
        try:
            # What was set in the copy since stays, unless production's own settings have changed.
            known = record.ports if record and record.config_source == source else None
            ports = self._start_control_plane(stack, preferred=record.ports if record else {}, known=known)
            self.layout.write_record(Record(made_by=this_version(), ports=ports, config_source=source))
        except BaseException:
            # Whatever went wrong, Ctrl-C included: nothing half-started is left behind.
            processes.stop(self.layout)
            raise

    def _start_control_plane(self, stack: Stack, *, preferred: Mapping[str, int], known: Mapping[str, int] | None) -> dict[str, int]:
        """Starts it, and beside it prepares the stack, or tells one that is prepared (for `known` ports) where the API server is now."""
        for _ in range(ATTEMPTS):
            ports = controlplane.choose_ports(preferred)
            controlplane.write_kubeconfigs(self.layout, stack.network, ports)
            self._control_plane = ControlPlane(self.layout, stack.network, ports)
            try:
                # The engine's part needs no control plane, only the address it will have.
                with ThreadPoolExecutor(max_workers=1) as aside:
                    prepared = aside.submit(self._prepare_stack, stack) if known is None else aside.submit(self._point_stack, known, ports)
                    self._control_plane.start(furnish=lambda: kubectl.furnish(self.layout, stack.nodes, stack.disks))
                    kubectl.await_ready(self.layout)
                    prepared.result()
            except PortTakenError:
                processes.stop(self.layout)
                preferred = {}
            else:
                return ports
        raise RehearsalError(f"no free ports: taken by others {ATTEMPTS} times between choosing and using them")

    def _take_in(self, stack: Stack, ports: dict[str, int], source: str) -> None:
        self._prepare_stack(stack)
        kubectl.furnish(self.layout, stack.nodes, stack.disks)
        kubectl.await_ready(self.layout)
        self.layout.write_record(Record(made_by=this_version(), ports=ports, config_source=source))

    def _prepare_stack(self, stack: Stack) -> None:
        self._write_account(stack)
        engine.install(self.layout)
        engine.prepare_stack(self.layout, source=self.source, kubeconfig=self.layout.kubeconfig.read_text())

    def _point_stack(self, known: Mapping[str, int], ports: Mapping[str, int]) -> None:
        if known != ports:
            engine.set_kubeconfig(self.layout, self.layout.kubeconfig.read_text())

    def _write_account(self, stack: Stack) -> None:
        """What already exists at the clouds: the addresses that the settings name, and the zone."""
        # Here and not above: it imports a provider's SDK, which most commands do not need.
        from infra.machines.addresses import primary_ip_name  # noqa: PLC0415

        account = {
            "addresses": {primary_ip_name(node.alias): node.ipv4 for node in stack.nodes if node.ipv4},
            "zones": {stack.domain: hashlib.sha256(stack.domain.encode()).hexdigest()[:32]},
        }
        (self.layout.clouds / "account.json").write_text(json.dumps(account, indent=2))

    def _remove(self) -> None:
        if not self.layout.looks_like_a_world():
            raise RehearsalError(f"{self.layout.folder} holds something else than a world: not removed")
        shutil.rmtree(self.layout.folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One command at a time starts or ends a world."""
        self.layout.lock.parent.mkdir(parents=True, exist_ok=True)
        with self.layout.lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
