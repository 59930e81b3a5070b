"""A simulated machine: a folder that is its disk, and the processes that carry its mark."""

import hashlib
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from rehearsal.control_plane.control_plane import binary
from rehearsal.layout import CHECKOUT, Layout
from rehearsal.machines import cloud_config
from rehearsal.processes import processes
from tools.cache import cache_folder

MARK = "HONEYDUE_MACHINE"
"""Set to the machine's folder for everything that runs on it."""
ROOT = "ROOT"
"""Where the machine's disk begins, for the node's own scripts."""
SUPERVISOR_PORT = 9345
"""Where what k3s answers on 6443 beside the API is answered here, where the API server has that port for itself."""
UNIT = Path("etc/systemd/system/k3s.service")

K3S = """\
# Stands for the k3s binary: its kubectl is the real one, all else is rehearsal/machines/k3s.py.
name=${{0##*/}}
[ "$name" != k3s ] || [ "${{1-}}" != kubectl ] || {{ name=kubectl; shift; }}
if [ "$name" = kubectl ]; then
    KUBECONFIG=${{KUBECONFIG:-$ROOT/etc/rancher/k3s/k3s.yaml}} exec {kubectl} "$@"
fi
exec {python} -m rehearsal.machines.k3s "$@\""""


@dataclass(frozen=True, kw_only=True)
class Server:
    """What the cloud knows of a machine beside its user data."""

    server_type: str
    location: str
    ipv4: str


class Machine:
    """One machine of a world, whether it is there yet or not."""

    def __init__(self, layout: Layout, name: str) -> None:
        self.name = name
        self.folder = layout.machines / name
        self.root = self.folder / "root"
        self.logs = self.folder / "logs"
        self._layout = layout
        self._programs = self.folder / "bin"

    @classmethod
    def all(cls, layout: Layout) -> Iterator[Self]:
        """Every machine that has a disk."""
        for folder in sorted(layout.machines.glob("*/")):
            yield cls(layout, folder.name)

    @classmethod
    def here(cls) -> Self:
        """The machine that this process runs on."""
        folder = Path(os.environ[ROOT]).parent
        return cls(Layout(folder.parent.parent), folder.name)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, which k3s writes."""
        return self.root / "etc/rancher/k3s/k3s.yaml"

    @property
    def server(self) -> Server:
        return Server(**json.loads((self.folder / "server.json").read_text()))

    def describe(self, server: Server) -> None:
        """What the cloud knows of it."""
        (self.folder / "server.json").write_text(json.dumps(asdict(server)))

    def boot(self, server: Server, user_data: str) -> None:
        """The first boot, which ends with what cloud-init runs last."""
        for folder in (self.root, self.logs, self._programs):
            folder.mkdir(mode=0o700, parents=True)
        self.describe(server)
        config = cloud_config.parse(user_data)
        cloud_config.write_files(config, self.root)
        self._install_programs()
        for program, *words in cloud_config.commands(config):
            # All other programs would change the machine that the rehearsal runs on.
            if program == "systemctl":
                self.systemctl(*words)

    def systemctl(self, *words: str) -> None:
        """What an operator types after `systemctl`; there is one service here, all others are somebody else's."""
        verb = next((word for word in words if not word.startswith("-")), "")
        if not {"k3s", "k3s.service"} & set(words):
            return
        if verb in {"stop", "restart"}:
            self.stop()
        if verb in {"start", "restart"} or (verb == "enable" and "--now" in words):
            self.start()

    def start(self) -> None:
        """Starts the service k3s, as its unit says; nothing when it runs."""
        if self.running():
            return
        before, service = self._unit()
        # Restart=always, and what goes before each start goes before each restart.
        steps = " && ".join([*before, service])
        loop = f"while :; do {steps}; sleep 1; done"
        command = ["/bin/sh", "-c", loop]
        processes.start_detached(
            command, log=self.logs / "k3s.log", folder=self.folder, environment={**self.environment(), **self._mark}
        )

    def stop(self) -> int:
        """Ends all that runs, as a power cut would; the disk stays. Returns how many processes there were."""
        return processes.kill(MARK, str(self.folder))

    def remove(self) -> None:
        """Its end."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def running(self) -> bool:
        return bool(processes.find(MARK, str(self.folder)))

    def environment(self) -> dict[str, str]:
        """What a shell on the machine has, and nothing of the person's own."""
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
            processes.MARK: str(self._layout.folder),
        }

    @property
    def _mark(self) -> Mapping[str, str]:
        return {MARK: str(self.folder)}

    def _unit(self) -> tuple[list[str], str]:
        """The commands of k3s' own unit: those before it, and it. What belongs to the system (modprobe) is not run."""
        lines = (self.root / UNIT).read_text().splitlines()
        before = [line.partition("=")[2] for line in lines if line.startswith("ExecStartPre=")]
        (service,) = (line.partition("=")[2] for line in lines if line.startswith("ExecStart="))
        environment = [
            file for line in lines if line.startswith("EnvironmentFile=") for file in (line.partition("=")[2],)
        ]
        sources = [f". {shlex.quote(str(self.root) + file)}" for file in environment]
        return [
            *sources,
            *(f"{self.root}{command}" for command in before if command.startswith("/usr/local/")),
        ], f"{self.root}{service}"

    def _install_programs(self) -> None:
        # Every name of the cluster's nodes leads here; what k3s answers on the port of the API has one of its own.
        (self.folder / ".curlrc").write_text(f'connect-to = ":6443::{SUPERVISOR_PORT}"\nnoproxy = "*"\n')
        python, world = shlex.quote(sys.executable), shlex.quote(str(self._layout.folder))
        # The address is there when the cloud has attached the server to the network, which may be after its first boot.
        cloud = shlex.quote(str(self._layout.clouds / "hcloud.json"))
        _script(
            self._programs / "ip",
            f"""for wanted; do :; done\ngrep -qF "\\"$wanted\\"" {cloud} && echo '[{{"ifname": "eth1"}}]' || echo '[]'""",
        )
        _script(self._programs / "systemctl", f'exec {python} -m rehearsal.machines {world} systemctl {self.name} "$@"')
        # The download that the node's own installer makes, of whatever release it asks for.
        version = re.search(r"^K3S_VERSION='?([^'\n]+)", (self.root / "etc/honeydue/node.env").read_text(), re.M)
        release = self._releases / (version[1] if version else "unknown")
        k3s = _script(
            release / "k3s", K3S.format(python=python, kubectl=shlex.quote(str(binary("kubernetes", "kubectl"))))
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
