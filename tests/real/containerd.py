"""Starts a containerd for a single test, without the CRI plugin: it imports images and runs containers with `ctr`."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rehearsal.processes import chroot
from tests.retry import eventually
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
    """A client of a running containerd.

    Attributes:
        folder: the folder that containerd sees as /run. Archives to import are copied there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ctr(self, *arguments: str) -> str:
        """Runs `ctr` in the containerd namespace of the kubelet and returns its output.

        Raises:
            AssertionError: the command failed; the message contains its stderr.
        """
        command = chroot.command(
            debian.root_filesystem("node"),
            "ctr",
            "--address",
            "/run/containerd.sock",
            "--namespace",
            "k8s.io",
            *arguments,
            folder=self.folder,
        )
        completed = subprocess.run(command, capture_output=True, text=True, check=False)
        if completed.returncode != 0:
            raise AssertionError(f"ctr {' '.join(arguments)}: {completed.stderr}")
        return completed.stdout


@contextmanager
def running(folder: Path) -> Iterator[Containerd]:
    """Starts containerd in this folder and stops it at the end of the block."""
    (folder / "containerd.toml").write_text(CONFIGURATION)
    containerd = Containerd(folder)
    with (folder / "log").open("wb") as log:
        command = chroot.command(
            debian.root_filesystem("node"), "containerd", "--config", "/run/containerd.toml", folder=folder
        )
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        eventually(lambda: containerd.ctr("version"))
        yield containerd
    finally:
        process.terminate()
        process.wait()
