"""One node's machine: a root file system, namespaces of its own, and the programs that run in them."""

import os
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout
from rehearsal.processes import cgroups, processes

BOOT = Path(__file__).with_name("boot.sh")
PART = "HONEYDUE_WORLD_NODE"
"""In the environment of a node's processes: its name."""
FIRST = "tini"
"""A machine's first process: with its end the kernel ends all others and drops every mount."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
START_SECONDS = 60.0

JOIN = 'for group in $GROUPS_TO_JOIN; do echo $$ >"$group"; done; unset GROUPS_TO_JOIN; exec "$@"'


class OffError(RehearsalError):
    """The machine is not on."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine that is on or off; its disk is a folder of the world."""

    layout: Layout
    hostname: str

    @property
    def root(self) -> Path:
        return self.layout.nodes / self.hostname

    def lay_out(self, debian: Path) -> None:
        """Prepares the disk, with Debian's own settings."""
        # Its own disk, open to everybody on it.
        self.root.mkdir(mode=0o755, parents=True, exist_ok=True)
        for folder in ("var/lib", "var/log", "var/tmp"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        for link, target in {
            **{one: f"usr/{one}" for one in ("bin", "lib", "lib64", "sbin")},
            "var/run": "../run",
        }.items():
            if not (self.root / link).is_symlink():
                (self.root / link).symlink_to(target)
        # What was changed there does not outlive a restart of the world; /var does.
        shutil.rmtree(self.root / "etc", ignore_errors=True)
        shutil.copytree(debian / "etc", self.root / "etc", symlinks=True)

    def write(self, files: Mapping[str, str]) -> None:
        """Puts these on its disk, by their absolute path."""
        for path, content in files.items():
            file = self.root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True)
            file.touch(mode=0o600)
            file.write_text(content)

    def holds(self, files: Mapping[str, str]) -> bool:
        """Whether these stand on its disk, as they are."""
        return all(
            (self.root / path.lstrip("/")).exists() and (self.root / path.lstrip("/")).read_text() == content
            for path, content in files.items()
        )

    def power_on(self, debian: Path, programs: Mapping[str, Path]) -> subprocess.Popen[bytes]:
        """Starts its first process; `programs` are the folders that it finds under /opt, by name."""
        self._off.unlink(missing_ok=True)
        groups = [group / "cgroup.procs" for group in cgroups.create(self.layout, self.hostname)]
        own = ("net", "mount", "pid", "uts", "ipc", "cgroup")
        # --kill-child: whoever kills unshare, which waits outside, means the machine.
        unshare = ["unshare", *(f"--{one}" for one in own), "--fork", "--kill-child"]
        folders = [f"{name}={folder}" for name, folder in programs.items()]
        return self._start(
            "boot", [*unshare, "sh", str(BOOT), str(self.root), str(debian), self.hostname, *folders], groups
        )

    def start(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Starts a program on the running machine, its words in the world's `logs/<hostname>-<name>.log`."""
        return self._start(name, [*self._enter(), *command], self._groups())

    def command(self, *arguments: str) -> list[str]:
        """How to run something on the running machine from outside."""
        joined = " ".join(map(str, self._groups()))
        return ["env", f"GROUPS_TO_JOIN={joined}", f"PATH={PATH}", "sh", "-c", JOIN, "join", *self._enter(), *arguments]

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """What it printed; a RehearsalError with its own words when it failed."""
        done = subprocess.run(self.command(*arguments), input=stdin, capture_output=True, text=True, check=False)
        return self._said(done)

    def feed(self, file: Path, *arguments: str) -> str:
        """Likewise, with a file of ours as its input."""
        with file.open("rb") as content:
            done = subprocess.run(self.command(*arguments), stdin=content, capture_output=True, text=True, check=False)
        return self._said(done)

    def hold(self, archive: Path) -> None:
        """Gives it the images of an archive, by the names that pods ask for; done twice, it changes nothing."""
        self.feed(archive, "ctr", "--namespace=k8s.io", "images", "import", "-")

    def _said(self, done: subprocess.CompletedProcess[str]) -> str:
        if done.returncode != 0:
            raise RehearsalError(f"a command failed on node {self.hostname}: {done.stderr.strip()}")
        return done.stdout

    def first(self) -> int:
        """The process id, outside, of the machine's first process; a RehearsalError when the machine is off."""
        found = next((one for one in processes.running(self.layout) if part(one) == (self.hostname, FIRST)), None)
        if found is None:
            raise OffError(f"node {self.hostname} is off")
        return found.pid

    def power_off(self) -> None:
        """As by a power cut: nothing on it ends in good order, and all of it ends. It stays off until it is powered on."""
        first = psutil.Process(self.first())
        self._off.touch()
        first.kill()
        first.wait(START_SECONDS)

    def is_off(self) -> bool:
        """Whether somebody wants it to be."""
        return self._off.exists()

    @property
    def _off(self) -> Path:
        return self.root / ".off"

    def await_boot(self, booted: subprocess.Popen[bytes]) -> None:
        """Returns when it takes programs."""
        self._await("boot", booted, self.first)

    def await_file(self, path: str, started: subprocess.Popen[bytes], name: str) -> None:
        """Returns when the file is there: a socket that a program makes when it is ready."""
        self._await(name, started, lambda: os.stat(f"/proc/{self.first()}/root{path}"))

    def await_answer(self, url: str, started: subprocess.Popen[bytes], name: str) -> None:
        """Returns when it answers with 200."""

        def ask() -> None:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310  # always http
                pass

        self._await(name, started, ask)

    def _await(self, name: str, started: subprocess.Popen[bytes], look: Callable[[], object]) -> None:
        def attempt() -> None:
            if started.poll() is not None:
                words = self.log(name).read_text(errors="replace").strip().splitlines() or ["it said nothing"]
                raise RehearsalError(
                    f"{name} of {self.hostname} ended while it started: {words[-1][:300]} (its log: {self.log(name)})"
                )
            look()

        waiting = Retrying(
            retry=retry_if_exception_type((OffError, OSError)),
            stop=stop_after_delay(START_SECONDS),
            wait=wait_fixed(0.05),
        )
        try:
            waiting(attempt)
        except RetryError as error:
            raise RehearsalError(
                f"{name} of {self.hostname} is not ready after {START_SECONDS:.0f} s; its log: {self.log(name)}"
            ) from error

    def log(self, name: str) -> Path:
        return self.layout.logs / f"{self.hostname}-{name}.log"

    def _start(self, name: str, command: Sequence[str], groups: Sequence[Path]) -> subprocess.Popen[bytes]:
        self.log(name).unlink(missing_ok=True)
        # Nothing of the operator's own environment: no token, no proxy.
        environment = {"PATH": PATH, PART: self.hostname, "GROUPS_TO_JOIN": " ".join(map(str, groups))}
        return processes.start(
            self.layout, f"{self.hostname}-{name}", ["sh", "-c", JOIN, "join", *command], environment=environment
        )

    def _groups(self) -> list[Path]:
        return [cgroups.entry(group) for group in cgroups.of_node(self.layout, self.hostname)]

    def _enter(self) -> list[str]:
        # Of the root directory nothing is said: a mount namespace has its own.
        own = ("mount", "net", "pid", "uts", "ipc", "cgroup")
        return ["nsenter", f"--target={self.first()}", *(f"--{one}" for one in own), "--"]


def part(process: psutil.Process) -> tuple[str | None, str]:
    """The node, or what else of a world, that a process was started for, and its name; both empty when it has just ended."""
    # kube-proxy and the policy controller start others all the time, which end at once.
    with suppress(psutil.Error):
        return process.environ().get(PART), process.name()
    return None, ""
