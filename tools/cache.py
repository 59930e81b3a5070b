"""The cache of installed programs: where each one is, and the lock that allows one writer at a time."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_path

from tools import programs
from tools.checksums import recorded_sha256
from tools.program import Origin, Program, configured_origin, this_platform


def cache_folder() -> Path:
    """The cache's folder: `HONEYDUE_CACHE`, else `honeydue` in the user's cache folder."""
    return Path(os.environ.get("HONEYDUE_CACHE") or user_cache_path("honeydue")).absolute()


@contextmanager
def cache_lock(cache: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Holds the lock of a cache, so that two processes never install the same program.

    Calls `on_wait` once if another process holds the lock.
    """
    with (cache / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def built_folder(program: Program) -> Path:
    """The folder of the program if it was built from source. It may not exist."""
    return cache_folder() / program.key


def release_folder(program: Program) -> Path | None:
    """The folder of the program if its vendor's release was installed. It may not exist.

    None if the vendor publishes no release for this platform, or one that cannot be verified.
    """
    assets = program.assets(this_platform())
    checksums = [recorded_sha256(asset.url) for asset in assets]
    if not assets or not all(sha256 or asset.checksums for sha256, asset in zip(checksums, assets, strict=True)):
        return None
    digest = hashlib.sha256(f"{assets!r} {checksums}".encode()).hexdigest()
    return cache_folder() / f"{program.name}-{program.tag}-release-{digest[:12]}"


def install_folder(program: Program) -> Path:
    """The folder of the installed program. If it is not installed, the folder that a build from source would create."""
    built, release = built_folder(program), release_folder(program)
    match configured_origin():
        case Origin.BUILD:
            return built
        case Origin.RELEASE:
            return release or built
        case Origin.AUTO:
            return release if release and not built.is_dir() and release.is_dir() else built


def executable(program: str, file: str = "") -> Path:
    """A file of an installed program: the one with the program's own name, or `file`."""
    return install_folder(programs.by_name(program)) / (file or program)
