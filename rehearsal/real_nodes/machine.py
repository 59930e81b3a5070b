"""The machine of one real node: a root file system, Linux namespaces, and the programs that run in them."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

import psutil

from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout
from rehearsal.loopback import probe
from rehearsal.processes import cgroups, processes
from rehearsal.processes.readiness import wait_until_ready

BOOT = Path(__file__).with_name("boot.sh")
NODE_VARIABLE = "HONEYDUE_WORLD_NODE"
"""The environment variable that holds the name of the node which a process belongs to."""
INIT = "tini"
"""The name of process 1 of a machine. When it ends, the kernel ends all other processes and drops every mount."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
START_SECONDS = 60.0
NAMESPACES = ("net", "mount", "pid", "uts", "ipc", "cgroup")
"""The namespaces that a machine does not share, as named by the options of unshare and nsenter."""

JOIN_CGROUPS = 'for group in $GROUPS_TO_JOIN; do echo $$ >"$group"; done; unset GROUPS_TO_JOIN; exec "$@"'


class MachineOffError(RehearsalError):
    """The machine is powered off."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine of the world. Its disk is a folder of the world and remains when the machine is powered off."""

    layout: Layout
    hostname: str

    @property
    def root(self) -> Path:
        """The folder that is the machine's root file system."""
        return self.layout.nodes / self.hostname

    @property
    def has_disk(self) -> bool:
        """Whether the disk was prepared. The folder of the audit log may exist before."""
        return (self.root / "etc").exists()

    def prepare_disk(self, debian: Path) -> None:
        """Creates the root file system, with /etc of the given Debian root."""
        # Every user of the node must be able to enter its root directory.
        self.root.mkdir(mode=0o755, parents=True, exist_ok=True)
        for folder in ("var/lib", "var/log", "var/tmp"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        for link, target in {
            **{folder: f"usr/{folder}" for folder in ("bin", "lib", "lib64", "sbin")},
            "var/run": "../run",
        }.items():
            if not (self.root / link).is_symlink():
                (self.root / link).symlink_to(target)
        # A restart of the world discards changes to /etc. It keeps /var.
        shutil.rmtree(self.root / "etc", ignore_errors=True)
        shutil.copytree(debian / "etc", self.root / "etc", symlinks=True)

    def create_folder(self, path: PurePath) -> Path:
        """Creates a folder, given by its absolute path on the node. Returns its path on this machine."""
        # Every user of the node must be able to enter its root directory.
        self.root.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder = self.root / str(path).lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def write(self, files: Mapping[str, str]) -> None:
        """Writes files to the disk, readable by root only. The keys are absolute paths on the node."""
        for path, content in files.items():
            file = self.root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True)
            file.touch(mode=0o600)
            file.write_text(content)

    def has_files(self, files: Mapping[str, str]) -> bool:
        """Whether the disk contains all of these files with exactly this content."""
        return all(
            (self.root / path.lstrip("/")).exists() and (self.root / path.lstrip("/")).read_text() == content
            for path, content in files.items()
        )

    def power_on(self, debian: Path, programs: Mapping[str, Path]) -> subprocess.Popen[bytes]:
        """Starts process 1. `programs` maps a name to the folder that is mounted at /opt/<name>."""
        self._off_marker.unlink(missing_ok=True)
        groups = [group / "cgroup.procs" for group in cgroups.create(self.layout, self.hostname)]
        # --kill-child: unshare waits outside of the namespaces. Killing it must end the machine.
        unshare = ["unshare", *(f"--{namespace}" for namespace in NAMESPACES), "--fork", "--kill-child"]
        folders = [f"{name}={folder}" for name, folder in programs.items()]
        return self._start(
            "boot", [*unshare, "sh", str(BOOT), str(self.root), str(debian), self.hostname, *folders], groups
        )

    def start(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Starts a program on the running machine. It logs to `logs/<hostname>-<name>.log` of the world."""
        return self._start(name, [*self._nsenter(), *command], self._groups())

    def command(self, *arguments: str) -> list[str]:
        """The command line that runs `arguments` on the running machine when it is executed outside of it."""
        groups = " ".join(map(str, self._groups()))
        environment = [f"GROUPS_TO_JOIN={groups}", f"PATH={PATH}"]
        return ["env", *environment, "sh", "-c", JOIN_CGROUPS, "join", *self._nsenter(), *arguments]

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs a command on the machine and returns its output. A RehearsalError contains the output of a failure."""
        return self._output(
            subprocess.run(self.command(*arguments), input=stdin, capture_output=True, text=True, check=False)
        )

    def import_images(self, archive: Path) -> None:
        """Imports the images of an archive under the names that pods use. Importing again changes nothing."""
        command = self.command("ctr", "--namespace=k8s.io", "images", "import", "-")
        with archive.open("rb") as content:
            self._output(subprocess.run(command, stdin=content, capture_output=True, text=True, check=False))

    def _output(self, completed: subprocess.CompletedProcess[str]) -> str:
        if completed.returncode != 0:
            raise RehearsalError(f"a command failed on node {self.hostname}: {completed.stderr.strip()}")
        return completed.stdout

    def init_pid(self) -> int:
        """The process id of the machine's process 1 outside of the machine. Raises MachineOffError."""
        for process in processes.running(self.layout):
            if node_of(process) == (self.hostname, INIT):
                return process.pid
        raise MachineOffError(f"node {self.hostname} is off")

    def power_off(self) -> None:
        """Kills every process at once, as a power cut does. The machine stays off until `power_on`."""
        init = psutil.Process(self.init_pid())
        self._off_marker.touch()
        init.kill()
        init.wait(START_SECONDS)

    def is_off(self) -> bool:
        """Whether the machine was powered off on purpose."""
        return self._off_marker.exists()

    @property
    def _off_marker(self) -> Path:
        return self.root / ".off"

    def wait_for_boot(self, process: subprocess.Popen[bytes]) -> None:
        """Returns when the machine can start programs. `process` is the result of `power_on`."""
        self._wait("boot", process, self.init_pid)

    def wait_for_file(self, path: str, process: subprocess.Popen[bytes], name: str) -> None:
        """Returns when the file exists on the machine, for example the socket that a program creates when ready."""
        self._wait(name, process, lambda: os.stat(f"/proc/{self.init_pid()}/root{path}"))

    def wait_for_http(self, url: str, process: subprocess.Popen[bytes], name: str) -> None:
        """Returns when the URL answers with status 200."""
        self._wait(name, process, lambda: probe(url, timeout=1))

    def wait_for_port(self, address: str, port: int, process: subprocess.Popen[bytes], name: str) -> None:
        """Returns when the TCP port accepts a connection."""
        self._wait(name, process, lambda: socket.create_connection((address, port), timeout=1).close())

    def _wait(self, name: str, process: subprocess.Popen[bytes], probe: Callable[[], object]) -> None:
        wait_until_ready(
            f"{name} of {self.hostname}",
            probe,
            process=process,
            log=self.log(name),
            timeout=START_SECONDS,
            retry_on=(MachineOffError, OSError),
        )

    def log(self, name: str) -> Path:
        """The log file of a program of this machine."""
        return self.layout.logs / f"{self.hostname}-{name}.log"

    def _start(self, name: str, command: Sequence[str], groups: Sequence[Path]) -> subprocess.Popen[bytes]:
        self.log(name).unlink(missing_ok=True)
        # The operator's environment is not passed on: it may contain tokens and proxies.
        environment = {"PATH": PATH, NODE_VARIABLE: self.hostname, "GROUPS_TO_JOIN": " ".join(map(str, groups))}
        return processes.start(
            self.layout,
            f"{self.hostname}-{name}",
            ["sh", "-c", JOIN_CGROUPS, "join", *command],
            environment=environment,
        )

    def _groups(self) -> list[Path]:
        return [cgroups.entry(group) for group in cgroups.of_node(self.layout, self.hostname)]

    def _nsenter(self) -> list[str]:
        # Without --root: entering the mount namespace already sets the root directory.
        return ["nsenter", f"--target={self.init_pid()}", *(f"--{namespace}" for namespace in NAMESPACES), "--"]


def node_of(process: psutil.Process) -> tuple[str | None, str]:
    """The value of NODE_VARIABLE in the environment of a process, and the name of its program.

    The node is None for a process of the world that belongs to no node. Both are empty when the process has just ended.
    """
    # kube-proxy and the network policy controller run short-lived commands all the time.
    with suppress(psutil.Error):
        return process.environ().get(NODE_VARIABLE), process.name()
    return None, ""
