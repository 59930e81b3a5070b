"""Writes an image as a docker-archive, which containerd imports: the same content gives the same bytes."""

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
"""What stands at which absolute path: a file or a whole folder of this machine, or a file's content. All belongs to root."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """What a Dockerfile would say. `user` is a number or `number:number`: images here need no /etc/passwd."""

    reference: str
    layers: Sequence[Layer]
    entrypoint: Sequence[str]
    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = "0"
    folder: str = "/"


def write(image: Image, file: Path) -> None:
    """Writes the archive; it appears by rename, whole or not at all."""
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".building-") as scratch:
        layers = [_layer(layer, Path(scratch, str(number))) for number, layer in enumerate(image.layers)]
        config = _json(_config(image, [digest for _, digest in layers]))
        config_name = f"{hashlib.sha256(config).hexdigest()}.json"
        names = [f"{digest}.tar" for _, digest in layers]
        manifest = _json([{"Config": config_name, "RepoTags": [image.reference], "Layers": names}])
        finished = Path(scratch, "image.tar")
        with tarfile.open(finished, "w") as archive:
            _add(archive, config_name, config)
            for (path, _), name in zip(layers, names, strict=True):
                _add(archive, name, path)
            _add(archive, "manifest.json", manifest)
        finished.rename(file)


def _config(image: Image, digests: Sequence[str]) -> Mapping[str, object]:
    return {
        "architecture": _ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {
            "Entrypoint": [*image.entrypoint],
            "Cmd": [*image.command],
            "Env": [f"{name}={value}" for name, value in image.environment.items()],
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
                for path in _below(source):
                    _add(archive, os.path.normpath(f"{name}/{path.relative_to(source)}").lstrip("/"), path)
            else:
                _add(archive, name, source)
    with file.open("rb") as content:
        return file, hashlib.file_digest(content, "sha256").hexdigest()


def _below(folder: Path) -> Iterator[Path]:
    """Everything in the folder, a folder before what is in it; the same order on every machine."""
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)


def _add(archive: tarfile.TarFile, name: str, source: Path | bytes) -> None:
    """Without what differs between two builds of the same: owner, time, the names of users."""
    made = tarfile.TarInfo(name)
    if isinstance(source, bytes):
        made.size, made.mode = len(source), 0o644
        archive.addfile(made, io.BytesIO(source))
        return
    found = archive.gettarinfo(source, name)
    made.type, made.linkname, made.size = found.type, found.linkname, found.size
    # As the umask of whoever unpacked it may have narrowed it.
    made.mode = found.mode | (0o555 if found.isdir() or found.mode & 0o100 else 0o444)
    if found.isreg():
        with source.open("rb") as content:
            archive.addfile(made, content)
    else:
        archive.addfile(made)
