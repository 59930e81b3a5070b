"""A containerd of a test's own, in a folder of its own, without what Kubernetes asks of it: it takes images and runs containers."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rehearsal.processes import chroot
from tests.real.patience import patiently
from tools import debian

CONFIGURATION = """
version = 2
root = "/run/root"
state = "/run/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "/run/containerd.sock"
"""


class Containerd:
    """`folder` is its /run: an archive that it imports stands there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ctr(self, *arguments: str) -> str:
        """What `ctr` answers, in the namespace that kubelets use."""
        command = chroot.command(
            debian.root("node"),
            "ctr",
            "--address",
            "/run/containerd.sock",
            "--namespace",
            "k8s.io",
            *arguments,
            folder=self.folder,
        )
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"ctr {' '.join(arguments)}: {done.stderr}")
        return done.stdout


@contextmanager
def running(folder: Path) -> Iterator[Containerd]:
    """It, for as long as the context lasts."""
    (folder / "containerd.toml").write_text(CONFIGURATION)
    started = Containerd(folder)
    with (folder / "log").open("wb") as log:
        command = chroot.command(debian.root("node"), "containerd", "--config", "/run/containerd.toml", folder=folder)
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        patiently(lambda: started.ctr("version"))
        yield started
    finally:
        process.terminate()
        process.wait()
