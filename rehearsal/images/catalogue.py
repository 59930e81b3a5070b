"""The images that the cluster asks for, by the very references in the stack's settings, made of what is built and fetched here."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import IntEnum
from pathlib import Path

from rich.console import Console

from infra.settings.apps import Images
from rehearsal.control_plane import control_plane
from rehearsal.images import archive
from rehearsal.images.archive import Image, Layer, write
from tools import debian, programs
from tools.cache import cache_folder, cache_lock
from tools.install import install_missing

MIGRATIONS = Path(__file__).with_name("migrations")
UNPRIVILEGED = "10001:10001"
REDIS = "999:999"
PROGRAMS = ("goose", "stand-ins", "traefik")
UNUSED_DAYS = 14
"""How long an archive is kept that no world asks for. Every release makes others."""


class Schema(IntEnum):
    """How many of the migrations a release carries; it refuses to boot before all of them are applied."""

    FIRST = 1
    ADDITIVE = 2
    BROKEN = 3


def normalised(reference: str) -> str:
    """The name in full, as kubelets ask for it: docker.io and its library are left out by people alone."""
    host, slash, _ = reference.partition("/")
    if not slash:
        return f"docker.io/library/{reference}"
    return reference if "." in host or ":" in host or host == "localhost" else f"docker.io/{reference}"


def api(reference: str, schema: Schema) -> Image:
    """A release of api: with goose, and with the migrations in its working folder."""
    files = sorted(MIGRATIONS.glob("*.sql"))[:schema]
    layers = [
        {"/usr/local/bin/goose": control_plane.binary("goose", "goose")},
        {f"/app/migrations/{file.name}": file for file in files},
    ]
    return _stand_in("api", reference, layers, PORT="8000", SCHEMA_VERSION=str(int(schema)))


def worker(reference: str, schema: Schema) -> Image:
    """A release of worker, which needs the schema too."""
    return _stand_in("worker", reference, SCHEMA_VERSION=str(int(schema)))


def frontend(name: str, reference: str) -> Image:
    """A release of admin or web. Its cache folder is there, and read-only unless something is mounted over it, as in Next.js' images."""
    return _stand_in(name, reference, [{"/app/.next/cache/.keep": b""}], PORT="3000")


def redis(reference: str) -> Image:
    """Debian's redis, with the shell that our command and probes use."""
    return Image(
        reference=normalised(reference),
        layers=[{"/": debian.root_filesystem("redis")}],
        entrypoint=["redis-server"],
        environment={"PATH": "/usr/sbin:/usr/bin"},
        user=REDIS,
        folder="/data",
    )


def traefik(reference: str) -> Image:
    """Traefik as a rehearsal builds it; the chart gives its arguments, and the user."""
    return Image(
        reference=normalised(reference),
        layers=[{"/usr/local/bin/traefik": control_plane.binary("traefik", "traefik")}],
        entrypoint=["/usr/local/bin/traefik"],
    )


def release(images: Images, schema: Schema) -> Sequence[Image]:
    """All four of our own, of the tags in the settings."""
    return (
        api(images.reference("api"), schema),
        worker(images.reference("worker"), schema),
        frontend("admin", images.reference("admin")),
        frontend("web", images.reference("web")),
    )


def archives(images: Sequence[Image], console: Console | None = None) -> Mapping[str, Path]:
    """Each image's archive by its reference, written where the cache lacks it; a ToolsError when a program cannot be built."""
    install_missing(console or Console(stderr=True, soft_wrap=True), [programs.by_name(name) for name in PROGRAMS])
    found = {image.reference: _archive(image) for image in images}
    with cache_lock(cache_folder()):
        forget_unused(cache_folder())
    return found


def forget_unused(cache: Path) -> None:
    """Removes what no world has asked for in so many days."""
    oldest = time.time() - timedelta(days=UNUSED_DAYS).total_seconds()
    for file in cache.glob("image-*.tar"):
        if file.stat().st_mtime < oldest:
            file.unlink()


def _stand_in(role: str, reference: str, layers: Sequence[Layer] = (), **environment: str) -> Image:
    program = "/usr/local/bin/stand-ins"
    return Image(
        reference=normalised(reference),
        layers=[{program: control_plane.binary("stand-ins", "stand-ins")}, *layers],
        entrypoint=[program, role],
        environment={"PATH": "/usr/local/bin", "RELEASE": reference.rpartition(":")[2], **environment},
        user=UNPRIVILEGED,
        folder="/app",
    )


def _archive(image: Image) -> Path:
    cache = cache_folder()
    file = cache / f"image-{_key(image)}.tar"
    with cache_lock(cache):
        if file.exists():
            file.touch()
        else:
            write(image, file)
    return file


def _key(image: Image) -> str:
    """Changes with every byte of the image, and with how it is written."""
    digest = hashlib.sha256(Path(archive.__file__).read_bytes())
    digest.update(repr(image).encode())
    for layer in image.layers:
        for source in layer.values():
            # What is in the cache has its content's digest in its path.
            if isinstance(source, Path) and not source.is_relative_to(cache_folder()):
                digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
