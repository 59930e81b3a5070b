"""An image's archive: the same content gives the same bytes, and nothing of the machine that wrote it is in them."""

import json
import os
import tarfile
import time
from pathlib import Path

from rehearsal.images.archive import Image, write
from rehearsal.images.catalog import remove_unused


def image(folder: Path, **changed: object) -> Image:
    described = {
        "reference": "registry.example/one:1",
        "layers": [{"/bin": folder, "/etc/one": b"one"}],
        "entrypoint": ["/bin/one"],
        "environment": {"ONE": "1"},
        "user": "10001:10001",
        "folder": "/app",
    }
    return Image(**(described | changed))  # type: ignore[arg-type]  # what a test leaves out is as above


def files(folder: Path) -> Path:
    """A folder of programs."""
    (folder / "sub").mkdir(parents=True)
    (folder / "one").write_bytes(b"program")
    (folder / "one").chmod(0o700)
    (folder / "sub" / "link").symlink_to("../one")
    return folder


def written(tmp_path: Path, name: str, made: Image) -> Path:
    write(made, tmp_path / name)
    return tmp_path / name


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    first = written(tmp_path, "first.tar", image(files(tmp_path / "a")))
    os.utime(files(tmp_path / "b") / "one", (0, 0))
    os.chown(tmp_path / "b" / "one", os.getuid(), os.getgid())
    assert written(tmp_path, "second.tar", image(tmp_path / "b")).read_bytes() == first.read_bytes()


def test_another_content_gives_another_layer(tmp_path: Path) -> None:
    first = written(tmp_path, "first.tar", image(files(tmp_path / "a")))
    (tmp_path / "a" / "one").write_bytes(b"another")
    assert written(tmp_path, "second.tar", image(tmp_path / "a")).read_bytes() != first.read_bytes()


def test_it_says_what_was_asked_for(tmp_path: Path) -> None:
    with tarfile.open(written(tmp_path, "image.tar", image(files(tmp_path / "a")))) as archive:
        read = {one.name: archive.extractfile(one) for one in archive}
        manifest = json.load(read["manifest.json"])[0]  # type: ignore[arg-type]  # a file
        config = json.load(read[manifest["Config"]])["config"]  # type: ignore[arg-type]  # a file
        with tarfile.open(fileobj=read[manifest["Layers"][0]]) as layer:
            members = {one.name: one for one in layer}
    assert manifest["RepoTags"] == ["registry.example/one:1"]
    assert config == {
        "Entrypoint": ["/bin/one"],
        "Cmd": [],
        "Env": ["ONE=1"],
        "User": "10001:10001",
        "WorkingDir": "/app",
    }
    assert set(members) == {"bin/one", "bin/sub", "bin/sub/link", "etc/one"}
    assert members["bin/sub/link"].linkname == "../one"
    # Whoever runs it may read it, whatever the umask of whoever built it.
    assert members["bin/one"].mode == 0o755
    assert {(one.uid, one.gid, one.mtime) for one in members.values()} == {(0, 0, 0)}


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    written(tmp_path, "image.tar", image(files(tmp_path / "a")))
    assert {path.name for path in tmp_path.iterdir()} == {"a", "image.tar"}


def test_what_no_world_asked_for_in_two_weeks_is_removed(tmp_path: Path) -> None:
    used, unused, program = tmp_path / "image-1.tar", tmp_path / "image-2.tar", tmp_path / "etcd-v3"
    for file in (used, unused, program):
        file.touch()
    for old in (unused, program):
        os.utime(old, (0, time.time() - 15 * 86400))
    remove_unused(tmp_path)
    assert set(tmp_path.iterdir()) == {used, program}
