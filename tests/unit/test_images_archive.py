"""The archive of an image is reproducible: it depends only on the content, not on the machine that writes it."""

import json
import os
import tarfile
import time
from pathlib import Path

from rehearsal.images.archive import Image, write
from rehearsal.images.catalog import remove_unused


def image(folder: Path, **changes: object) -> Image:
    fields = {
        "reference": "registry.example/api:1",
        "layers": [{"/bin": folder, "/etc/api": b"api"}],
        "entrypoint": ["/bin/api"],
        "environment": {"PORT": "1"},
        "labels": {"version": "1"},
        "user": "10001:10001",
        "folder": "/app",
    }
    return Image(**(fields | changes))  # type: ignore[arg-type]  # the types of the fields vary


def files(folder: Path) -> Path:
    """Creates a folder with a program and a symbolic link."""
    (folder / "sub").mkdir(parents=True)
    (folder / "api").write_bytes(b"program")
    (folder / "api").chmod(0o700)
    (folder / "sub" / "link").symlink_to("../api")
    return folder


def written(tmp_path: Path, name: str, content: Image) -> Path:
    write(content, tmp_path / name)
    return tmp_path / name


def test_the_same_content_results_in_the_same_bytes(tmp_path: Path) -> None:
    first = written(tmp_path, "first.tar", image(files(tmp_path / "a")))
    os.utime(files(tmp_path / "b") / "api", (0, 0))
    os.chown(tmp_path / "b" / "api", os.getuid(), os.getgid())
    assert written(tmp_path, "second.tar", image(tmp_path / "b")).read_bytes() == first.read_bytes()


def test_another_content_results_in_another_archive(tmp_path: Path) -> None:
    first = written(tmp_path, "first.tar", image(files(tmp_path / "a")))
    (tmp_path / "a" / "api").write_bytes(b"another")
    assert written(tmp_path, "second.tar", image(tmp_path / "a")).read_bytes() != first.read_bytes()


def test_the_archive_has_the_layers_and_configuration_of_the_image(tmp_path: Path) -> None:
    with tarfile.open(written(tmp_path, "image.tar", image(files(tmp_path / "a")))) as archive:
        files_by_name = {member.name: archive.extractfile(member) for member in archive}
        manifest = json.load(files_by_name["manifest.json"])[0]  # type: ignore[arg-type]  # no folder
        config = json.load(files_by_name[manifest["Config"]])["config"]  # type: ignore[arg-type]  # no folder
        with tarfile.open(fileobj=files_by_name[manifest["Layers"][0]]) as layer:
            members = {member.name: member for member in layer}
    assert manifest["RepoTags"] == ["registry.example/api:1"]
    assert config == {
        "Entrypoint": ["/bin/api"],
        "Cmd": [],
        "Labels": {"version": "1"},
        "Env": ["PORT=1"],
        "User": "10001:10001",
        "WorkingDir": "/app",
    }
    assert set(members) == {"bin/api", "bin/sub", "bin/sub/link", "etc/api"}
    assert members["bin/sub/link"].linkname == "../api"
    # Every user may read and run it, regardless of the umask of the build.
    assert members["bin/api"].mode == 0o755
    assert {(member.uid, member.gid, member.mtime) for member in members.values()} == {(0, 0, 0)}


def test_no_temporary_file_is_left(tmp_path: Path) -> None:
    written(tmp_path, "image.tar", image(files(tmp_path / "a")))
    assert {path.name for path in tmp_path.iterdir()} == {"a", "image.tar"}


def test_images_unused_for_two_weeks_are_removed(tmp_path: Path) -> None:
    used, unused, program = tmp_path / "image-1.tar", tmp_path / "image-2.tar", tmp_path / "etcd-v3"
    for file in (used, unused, program):
        file.touch()
    for old in (unused, program):
        os.utime(old, (0, time.time() - 15 * 86400))
    remove_unused(tmp_path)
    assert set(tmp_path.iterdir()) == {used, program}
