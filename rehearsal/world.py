"""A world: a folder that holds a control plane, simulated clouds and a stack, from its start to its end."""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ops import stackfile
from rehearsal import configuration, controlplane, engine, processes
from rehearsal.adopted import AdoptedCluster
from rehearsal.configuration import Stack
from rehearsal.errors import RehearsalError
from rehearsal.founded import FoundedCluster
from rehearsal.kubectl import Kubectl
from rehearsal.layout import CHECKOUT, Layout, Record, this_version
from rehearsal.loopback import ranges
from rehearsal.placeholders import placeholder


class World:
    """Started by `up`, it outlives its starter until `down`; as a context manager it ends with the block, or with the process.

    `project` is the folder whose program and settings are rehearsed.
    """

    def __init__(self, folder: Path, *, project: Path = CHECKOUT, say: Callable[[str], None] = lambda _: None) -> None:
        self.layout = Layout(folder.absolute())
        self.project = project
        self._say = say
        self._guard: processes.Guard | None = None
        self._cluster: AdoptedCluster | None = None

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
        record = self.layout.read_record()
        if record is None:
            return False
        return FoundedCluster(self.layout).runs() if record.founded else set(self.programs()) >= controlplane.NAMES

    def programs(self) -> Mapping[str, int]:
        """The running programs of the world and their process ids."""
        if self._is_founded():
            return FoundedCluster(self.layout).programs()
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
                self._take_in(record, source)

    def down(self, *, keep: bool = False) -> bool:
        """Ends every process and removes the folder, unless it is to be kept. Whether there was anything to end."""
        with self._locked():
            ended = processes.stop(self.layout)
            if self._guard:
                self._guard.dismiss()
                self._guard = None
            if self._cluster:
                self._cluster.reap()
                self._cluster = None
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
    def operating(self, *arguments: str) -> Iterator[tuple[Sequence[str], Mapping[str, str]]]:
        """Production's own `python -m ops …`: command and environment, for as long as the clouds answer the vendors' clients."""
        # Here and not above: most commands do not need the providers' code.
        from rehearsal.clouds import api  # noqa: PLC0415

        tokens = api.Tokens(
            hetzner=str(placeholder("hetznerToken", self.layout.pki)), cloudflare=str(placeholder("cloudflareToken", self.layout.pki))
        )
        with api.serving(self.layout.clouds, tokens) as endpoints:
            yield [sys.executable, "-m", "ops", *arguments], {**engine.environment(self.layout), **endpoints}

    def adopting(self, *arguments: str) -> AbstractContextManager[tuple[Sequence[str], Mapping[str, str]]]:
        """Likewise, its `adopt`."""
        return self.operating("adopt", "--stack", engine.STACK, *arguments)

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
        return self.way_in().run(*arguments, stdin=stdin)

    def kubectl_json(self, *arguments: str) -> dict[str, Any]:
        return self.way_in().read(*arguments)

    def way_in(self) -> Kubectl:
        """The operator's kubectl; of a cluster that was founded here, by the stack's own output."""
        if self._is_founded():
            FoundedCluster(self.layout).write_kubeconfig()
        return Kubectl(self.layout.kubeconfig)

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
        if record and record.founded != stack.founded_here:
            self._say("the cluster is another one now: the world starts anew")
            self._remove()
            record = None
        self.layout.make_folders()
        try:
            # What was set in the copy since stays, unless production's own settings have changed.
            same = record if record and record.config_source == source else None
            ports = self._found(stack, same) if stack.founded_here else self._adopt(stack, record.ports if record else {}, same)
            self._remember(ports, source, stack)
        except BaseException:
            # Whatever went wrong, Ctrl-C included: nothing half-started is left behind.
            processes.stop(self.layout)
            raise

    def _found(self, stack: Stack, same: Record | None) -> dict[str, int]:
        if same is None:
            self._prepare_stack(stack)
        FoundedCluster(self.layout).power_on()
        return {}

    def _adopt(self, stack: Stack, preferred: Mapping[str, int], same: Record | None) -> dict[str, int]:
        def prepare(ports: Mapping[str, int]) -> None:
            if same is None:
                self._prepare_stack(stack)
            elif same.ports != ports:
                engine.set_kubeconfig(self.layout, self.layout.kubeconfig.read_text())

        self._cluster = AdoptedCluster(self.layout, network=stack.network, nodes=stack.nodes.values(), disks=stack.disks)
        return self._cluster.start(preferred=preferred, prepare=prepare)

    def _take_in(self, record: Record, source: str) -> None:
        stack = configuration.read_stack(self.source)
        if record.founded != stack.founded_here:
            self._start(record, source)
            return
        self._prepare_stack(stack)
        if not stack.founded_here:
            AdoptedCluster(self.layout, network=stack.network, nodes=stack.nodes.values(), disks=stack.disks).take_in()
        self._remember(record.ports, source, stack)

    def _remember(self, ports: dict[str, int], source: str, stack: Stack) -> None:
        self.layout.write_record(Record(made_by=this_version(), ports=ports, config_source=source, founded=stack.founded_here))

    def _is_founded(self) -> bool:
        record = self.layout.read_record()
        return record is not None and record.founded

    def _prepare_stack(self, stack: Stack) -> None:
        self._write_account(stack)
        engine.install(self.layout)
        kubeconfig = None if stack.founded_here else self.layout.kubeconfig.read_text()
        engine.prepare_stack(self.layout, source=self.source, kubeconfig=kubeconfig)

    def _write_account(self, stack: Stack) -> None:
        """What already exists at the clouds: the addresses that the settings name, and the zone."""
        # Here and not above: it imports a provider's SDK, which most commands do not need.
        from infra.machines.addresses import primary_ip_name  # noqa: PLC0415

        zones = {stack.domain: hashlib.sha256(stack.domain.encode()).hexdigest()[:32]}
        if stack.founded_here:
            servers = {"ipv4_range": str(ranges(self.layout.folder).public), "machines": FoundedCluster(self.layout).command}
            account: Mapping[str, object] = {"zones": zones, **servers}
        else:
            held = {primary_ip_name(alias): node.ipv4 for alias, node in stack.nodes.items() if node.ipv4}
            account = {"zones": zones, "addresses": held}
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
