"""A simulated machine: a folder that is its disk, and processes that have MACHINE_VARIABLE in their environment."""

import hashlib
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from rehearsal.layout import CHECKOUT, Layout
from rehearsal.machines import cloud_config
from rehearsal.processes import processes
from tools.cache import cache_folder, executable

MACHINE_VARIABLE = "HONEYDUE_MACHINE"
"""The environment variable that every process of a machine has. Its value is the machine's folder."""
ROOT = "ROOT"
"""The environment variable with the root of the machine's disk. The scripts of the node prefix their paths with it."""
SUPERVISOR_PORT = 9345
"""The port of the k3s supervisor. In k3s it is 6443, which the API server alone has on a simulated machine."""
UNIT = Path("etc/systemd/system/k3s.service")

K3S_SCRIPT = """\
# Replaces the k3s binary. kubectl is the real program; rehearsal/machines/k3s.py implements the other commands.
name=${{0##*/}}
[ "$name" != k3s ] || [ "${{1-}}" != kubectl ] || {{ name=kubectl; shift; }}
if [ "$name" = kubectl ]; then
    KUBECONFIG=${{KUBECONFIG:-$ROOT/etc/rancher/k3s/k3s.yaml}} exec {kubectl} "$@"
fi
exec {python} -m rehearsal.machines.k3s "$@\""""


@dataclass(frozen=True, kw_only=True)
class CloudServer:
    """The attributes of the simulated cloud's server, without its user data."""

    server_type: str
    location: str
    ipv4: str


class Machine:
    """A machine of a world. Its folder exists from `boot` to `remove`."""

    def __init__(self, layout: Layout, name: str) -> None:
        self.name = name
        self.folder = layout.machines / name
        self.root = self.folder / "root"
        self.logs = self.folder / "logs"
        self._layout = layout
        self._programs = self.folder / "bin"

    @classmethod
    def all(cls, layout: Layout) -> Iterator[Self]:
        """Every machine whose folder exists."""
        for folder in sorted(layout.machines.glob("*/")):
            yield cls(layout, folder.name)

    @classmethod
    def current(cls) -> Self:
        """The machine on which this process runs."""
        folder = Path(os.environ[ROOT]).parent
        return cls(Layout(folder.parent.parent), folder.name)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, which k3s writes."""
        return self.root / "etc/rancher/k3s/k3s.yaml"

    @property
    def cloud_server(self) -> CloudServer:
        """The server's attributes at the last boot."""
        return CloudServer(**json.loads((self.folder / "server.json").read_text()))

    def write_cloud_server(self, server: CloudServer) -> None:
        """Records the attributes of the server."""
        (self.folder / "server.json").write_text(json.dumps(asdict(server)))

    def boot(self, server: CloudServer, user_data: str) -> None:
        """Creates the disk and applies the user data: the first boot of a server."""
        for folder in (self.root, self.logs, self._programs):
            folder.mkdir(mode=0o700, parents=True)
        self.write_cloud_server(server)
        config = cloud_config.parse(user_data)
        cloud_config.write_files(config, self.root)
        self._install_programs(cloud_config.packages(config))
        for program, *arguments in cloud_config.commands(config):
            # Other programs, for example sysctl, would change the host.
            if program == "systemctl":
                self.systemctl(*arguments)

    def systemctl(self, *arguments: str) -> None:
        """Replaces `systemctl`. It only acts on the service k3s: the others do not exist on the machine."""
        verb = next((argument for argument in arguments if not argument.startswith("-")), "")
        if not {"k3s", "k3s.service"} & set(arguments):
            return
        if verb in {"stop", "restart"}:
            self.stop()
        if verb in {"start", "restart"} or (verb == "enable" and "--now" in arguments):
            self.start()

    def start(self) -> None:
        """Starts the service k3s as its unit describes, unless it is running."""
        if self.running():
            return
        # The unit has Restart=always: systemd repeats ExecStartPre before each restart.
        loop = f"while :; do {' && '.join(self._unit_commands())}; sleep 1; done"
        environment = {**self.environment(), MACHINE_VARIABLE: str(self.folder)}
        processes.start_detached(
            ["/bin/sh", "-c", loop], log=self.logs / "k3s.log", folder=self.folder, environment=environment
        )

    def stop(self) -> int:
        """Kills every process of the machine, as a power cut does. The disk stays. Returns the number of processes."""
        return processes.kill(MACHINE_VARIABLE, str(self.folder))

    def remove(self) -> None:
        """Stops the machine and deletes its disk."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def running(self) -> bool:
        """Whether any process of the machine runs."""
        return bool(processes.find(MACHINE_VARIABLE, str(self.folder)))

    def environment(self) -> dict[str, str]:
        """The environment of a shell on the machine. It contains nothing of the operator's environment."""
        return {
            "PATH": os.pathsep.join([str(self._programs), str(self.root / "usr/local/bin"), os.defpath]),
            "HOME": str(self.folder),
            "CURL_HOME": str(self.folder),
            ROOT: str(self.root),
            "PYTHONPATH": str(CHECKOUT),
            "HONEYDUE_CACHE": str(cache_folder()),
            "SSL_CERT_FILE": str(self._layout.external_ca),
            "POLL_SECONDS": "0.5",
            "K3S_RELEASES": self._releases.as_uri(),
            processes.WORLD_VARIABLE: str(self._layout.folder),
        }

    def _unit_commands(self) -> list[str]:
        """The shell commands of the systemd unit of k3s, in their order.

        Commands of ExecStartPre outside of /usr/local, for example modprobe, would act on the host and are left out.
        """
        lines = [line.partition("=") for line in (self.root / UNIT).read_text().splitlines()]
        environment_files = [file for key, _, file in lines if key == "EnvironmentFile"]
        preparations = [command for key, _, command in lines if key == "ExecStartPre"]
        (service,) = (command for key, _, command in lines if key == "ExecStart")
        return [
            *(f". {shlex.quote(str(self.root) + file)}" for file in environment_files),
            *(f"{self.root}{command}" for command in preparations if command.startswith("/usr/local/")),
            f"{self.root}{service}",
        ]

    def _install_programs(self, packages: Sequence[str]) -> None:
        # Redirects requests to the k3s supervisor of any node to the port that it has here.
        (self.folder / ".curlrc").write_text(f'connect-to = ":6443::{SUPERVISOR_PORT}"\nnoproxy = "*"\n')
        python, world = shlex.quote(sys.executable), shlex.quote(str(self._layout.folder))
        # `ip` reports the private interface when the cloud has attached the server to the network. That may happen
        # after the first boot.
        cloud = shlex.quote(str(self._layout.clouds / "hetzner.json"))
        _script(
            self._programs / "ip",
            f"""for address; do :; done
grep -qF "\\"$address\\"" {cloud} && echo '[{{"ifname": "eth1"}}]' || echo '[]'""",
        )
        # The mirror of the machine never fails, and the programs of the packages are those of this host.
        installed = "|".join(packages) or "''"
        _script(
            self._programs / "dpkg-query",
            f"for name; do :; done\ncase $name in {installed}) printf installed ;; *) exit 1 ;; esac",
        )
        _script(self._programs / "systemctl", f'exec {python} -m rehearsal.machines {world} systemctl {self.name} "$@"')
        # The release that the node's install script downloads, with its checksum.
        version = re.search(r"^K3S_VERSION='?([^'\n]+)", (self.root / "etc/honeydue/node.env").read_text(), re.M)
        release = self._releases / (version[1] if version else "unknown")
        k3s = _script(
            release / "k3s",
            K3S_SCRIPT.format(python=python, kubectl=shlex.quote(str(executable("kubernetes", "kubectl")))),
        )
        (release / "sha256sum-amd64.txt").write_text(f"{hashlib.sha256(k3s.read_bytes()).hexdigest()}  k3s\n")

    @property
    def _releases(self) -> Path:
        return self.folder / "releases"


def _script(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file
