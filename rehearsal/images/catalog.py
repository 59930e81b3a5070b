"""The images that pods of the cluster use, by the references in the stack's settings.

Stand-ins replace the product's own images. The other images contain the pinned programs of tools/ and Debian packages.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from enum import IntEnum
from pathlib import Path

from rich.console import Console

from infra.settings.apps import Images
from ops.release.schema import COMPATIBLE_WITH, SCHEMA_VERSION
from rehearsal.images import archive
from rehearsal.images.archive import Image, Layer, write
from rehearsal.images.trust import trusted_authority
from tools import debian, programs
from tools.backups import BACKUPS
from tools.cache import cache_folder, cache_lock, executable
from tools.install import install_missing
from tools.logs import LOGS
from tools.monitoring import MONITORING

MIGRATIONS = Path(__file__).with_name("migrations")
UNPRIVILEGED = "10001:10001"
REDIS = "999:999"
PROGRAMS = ("goose", "stand-ins", "traefik", *(program.name for program in (*MONITORING, *LOGS, *BACKUPS)))
UNUSED_DAYS = 14
"""Unused archives are deleted after this time. Every release adds new ones."""


class Schema(IntEnum):
    """The number of migrations that a release contains. It does not start before all of them are applied."""

    FIRST = 1
    ADDITIVE = 2
    BROKEN = 3


def full_reference(reference: str) -> str:
    """The reference with its registry and repository, as the kubelet requests it: `redis:7` is in docker.io/library."""
    host, slash, _ = reference.partition("/")
    if not slash:
        return f"docker.io/library/{reference}"
    return reference if "." in host or ":" in host or host == "localhost" else f"docker.io/{reference}"


def api(reference: str, schema: Schema) -> Image:
    """A release of api, with goose and with the migrations in its working directory."""
    files = sorted(MIGRATIONS.glob("*.sql"))[:schema]
    layers = [
        {"/usr/local/bin/goose": executable("goose", "goose")},
        {f"/app/migrations/{file.name}": file for file in files},
        trusted_authority(),
    ]
    image = _stand_in("api", reference, layers, PORT="8000", SCHEMA_VERSION=str(int(schema)))
    # Each migration only adds something, so the release before it works with its schema.
    labels = {SCHEMA_VERSION: str(int(schema)), COMPATIBLE_WITH: str(max(1, schema - 1))}
    return replace(image, labels=labels)


def worker(reference: str, schema: Schema) -> Image:
    """A release of worker, which like api verifies the trace collector, and requires the same schema version as api."""
    return _stand_in("worker", reference, [trusted_authority()], SCHEMA_VERSION=str(int(schema)))


def frontend(name: str, reference: str) -> Image:
    """A release of admin or web.

    As in images of Next.js, the cache folder exists, and a volume must be mounted there to make it writable.
    """
    return _stand_in(name, reference, [{"/app/.next/cache/.keep": b""}], PORT="3000")


def redis(reference: str) -> Image:
    """Debian's redis, with the shell that the container's command and probes use."""
    return Image(
        reference=full_reference(reference),
        layers=[{"/": debian.root_filesystem("redis")}],
        entrypoint=["redis-server"],
        environment={"PATH": "/usr/sbin:/usr/bin"},
        user=REDIS,
        folder="/data",
    )


def traefik(reference: str) -> Image:
    """Traefik. The chart sets its arguments and its user."""
    return Image(
        reference=full_reference(reference),
        layers=[{"/usr/local/bin/traefik": executable("traefik", "traefik")}],
        entrypoint=["/usr/local/bin/traefik"],
    )


def release(images: Images, schema: Schema) -> Sequence[Image]:
    """The stand-ins for all four images of the product, with the tags in the settings."""
    return (
        api(images.reference("api"), schema),
        worker(images.reference("worker"), schema),
        frontend("admin", images.reference("admin")),
        frontend("web", images.reference("web")),
    )


def archives(images: Sequence[Image], console: Console | None = None) -> Mapping[str, Path]:
    """The archive of each image by its reference, written to the cache if it is missing there. Raises ToolsError."""
    install_missing(console or Console(stderr=True, soft_wrap=True), [programs.by_name(name) for name in PROGRAMS])
    files = {image.reference: _archive(image) for image in images}
    with cache_lock(cache_folder()):
        remove_unused(cache_folder())
    return files


def remove_unused(cache: Path) -> None:
    """Deletes the archives that no world has used for UNUSED_DAYS."""
    oldest = time.time() - timedelta(days=UNUSED_DAYS).total_seconds()
    for file in cache.glob("image-*.tar"):
        if file.stat().st_mtime < oldest:
            file.unlink()


def _stand_in(role: str, reference: str, layers: Sequence[Layer] = (), **environment: str) -> Image:
    program = "/usr/local/bin/stand-ins"
    return Image(
        reference=full_reference(reference),
        layers=[{program: executable("stand-ins", "stand-ins")}, *layers],
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
            # remove_unused() uses the modification time.
            file.touch()
        else:
            write(image, file)
    return file


def _key(image: Image) -> str:
    """A digest of the image's definition and content, and of the code that writes it."""
    digest = hashlib.sha256(Path(archive.__file__).read_bytes())
    digest.update(repr(image).encode())
    for layer in image.layers:
        for source in layer.values():
            # The path of a file in the cache already contains a digest of its content.
            if isinstance(source, Path) and not source.is_relative_to(cache_folder()):
                digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
