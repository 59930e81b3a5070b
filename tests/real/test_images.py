"""What is written without a container engine is an image to the one that kubelets use."""

from pathlib import Path

from rehearsal.images.archive import Image, write
from tests.real import containerd
from tools import debian


def test_containerd_imports_an_archive(tmp_path: Path) -> None:
    reference = "registry.example/one:1"
    programs = {"/": debian.root("redis")}
    write(Image(reference=reference, layers=[programs, {"/etc/one": b"1"}], entrypoint=["redis-server"]), tmp_path / "one.tar")
    with containerd.running(tmp_path) as runtime:
        runtime.ctr("images", "import", "/run/one.tar")
        # "complete", of the config and two layers, and "unpacked".
        assert runtime.ctr("images", "check").splitlines()[1].split()[3:5] == ["complete", "(3/3)"]
