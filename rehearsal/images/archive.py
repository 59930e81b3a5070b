"""Writes an image as a docker-archive, which containerd can import. The build is reproducible."""

import hashlib
import io
import json
import os
import platform
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

Layer = Mapping[str, Path | bytes]
"""The contents of a layer by their absolute path: a file or folder of the host, or bytes. Root owns all of them."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """The definition of an image, with the meaning of the instructions of a Dockerfile.

    `user` is a numeric uid or `uid:gid`, because the image may contain no /etc/passwd.
    """

    reference: str
    layers: Sequence[Layer]
    entrypoint: Sequence[str]
    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    user: str = "0"
    folder: str = "/"


def write(image: Image, file: Path) -> None:
    """Writes the archive to `file` by rename: a partial archive never has that name."""
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".building-") as folder:
        layers = [_layer(layer, Path(folder, str(number))) for number, layer in enumerate(image.layers)]
        config = _json(_config(image, [digest for _, digest in layers]))
        config_name = f"{hashlib.sha256(config).hexdigest()}.json"
        names = [f"{digest}.tar" for _, digest in layers]
        manifest = _json([{"Config": config_name, "RepoTags": [image.reference], "Layers": names}])
        complete = Path(folder, "image.tar")
        with tarfile.open(complete, "w") as archive:
            _add(archive, config_name, config)
            for (path, _), name in zip(layers, names, strict=True):
                _add(archive, name, path)
            _add(archive, "manifest.json", manifest)
        complete.rename(file)


def _config(image: Image, digests: Sequence[str]) -> Mapping[str, object]:
    return {
        "architecture": _ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {
            "Entrypoint": [*image.entrypoint],
            "Cmd": [*image.command],
            "Env": [f"{name}={value}" for name, value in image.environment.items()],
            "Labels": dict(image.labels),
            "User": image.user,
            "WorkingDir": image.folder,
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
    }


def _json(content: object) -> bytes:
    return json.dumps(content, sort_keys=True).encode()


def _layer(layer: Layer, file: Path) -> tuple[Path, str]:
    with tarfile.open(file, "w") as archive:
        for target, source in sorted(layer.items()):
            name = target.strip("/")
            if isinstance(source, Path) and source.is_dir():
                for path in _walk(source):
                    _add(archive, os.path.normpath(f"{name}/{path.relative_to(source)}").lstrip("/"), path)
            else:
                _add(archive, name, source)
    with file.open("rb") as content:
        return file, hashlib.file_digest(content, "sha256").hexdigest()


def _walk(folder: Path) -> Iterator[Path]:
    """Every path below the folder, sorted, with a folder before its contents."""
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def _add(archive: tarfile.TarFile, name: str, source: Path | bytes) -> None:
    """Adds an entry without the metadata that differs between two builds: owner, group and time."""
    entry = tarfile.TarInfo(name)
    if isinstance(source, bytes):
        entry.size, entry.mode = len(source), 0o644
        archive.addfile(entry, io.BytesIO(source))
        return
    original = archive.gettarinfo(source, name)
    entry.type, entry.linkname, entry.size = original.type, original.linkname, original.size
    # The umask of the user who unpacked the file may have removed permissions.
    entry.mode = original.mode | (0o555 if original.isdir() or original.mode & 0o100 else 0o444)
    if original.isreg():
        with source.open("rb") as content:
            archive.addfile(entry, content)
    else:
        archive.addfile(entry)
