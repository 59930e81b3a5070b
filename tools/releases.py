"""Takes programs from their vendors' releases: each file is verified before anything of it is used."""

import os
import shutil
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from tools import download
from tools.checksums import listed, recorded
from tools.download import Answer
from tools.program import Asset, BuildError, Program, this_platform

PARALLEL = 4
"""Downloads at once: more share the same line, fewer leave it idle between two files."""


def address(url: str) -> str:
    """Where the file is fetched: at its vendor, or at `HONEYDUE_RELEASE_MIRROR`, which has each host's files in a folder of its name."""
    mirror = os.environ.get("HONEYDUE_RELEASE_MIRROR", "").rstrip("/")
    if not mirror:
        return url
    if not mirror.startswith(("http://", "https://")):
        raise BuildError(
            f"HONEYDUE_RELEASE_MIRROR is {mirror!r}: expected the http:// or https:// URL of a mirror; unset it to ask the vendors"
        )
    parts = urlsplit(url)
    return f"{mirror}/{parts.netloc}{parts.path}"


@dataclass(frozen=True, kw_only=True)
class Published:
    """A program with all that is fetched for it."""

    program: Program
    folder: Path
    """Where it stands when it is finished."""
    assets: Sequence[Asset]

    @property
    def addresses(self) -> Sequence[str]:
        """Where all that is needed of it is fetched, the lists of checksums among them."""
        lists = (asset.checksums for asset in self.assets if not recorded(asset.url))
        return [address(url) for url in (*(asset.url for asset in self.assets), *lists)]

    def unreachable(self, answers: Mapping[str, Answer]) -> Mapping[str, str]:
        """The hosts that are out of reach, each with the reason."""
        return {download.host(url): answers[url].reason for url in self.addresses if not answers[url].reachable}

    def missing(self, answers: Mapping[str, Answer]) -> Sequence[str]:
        """The URLs that the vendor's site does not have."""
        return [download.shown(url) for url in self.addresses if answers[url].reachable and not answers[url].published]


def published(program: Program, folder: Path) -> Published:
    """What its vendor publishes for this platform."""
    return Published(program=program, folder=folder, assets=program.assets(this_platform()))


class Downloads:
    """Fetches and unpacks releases into one cache. Safe to be used from several threads; files that programs share are fetched once."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._folder = cache / "downloads"
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(PARALLEL)

    def install(self, release: Published, advance: Callable[[str, int], None]) -> None:
        """Makes the program's folder; a BuildError where a file cannot be had, or is not what its checksum says.

        `advance` is told the address of a file, and how many bytes of it are there.
        """
        self._folder.mkdir(exist_ok=True)
        with ThreadPoolExecutor(len(release.assets)) as pool:
            files = list(pool.map(lambda asset: self._verified(asset, release.program, advance), release.assets))
        with tempfile.TemporaryDirectory(dir=self._cache, prefix=".fetching-") as scratch:
            product = Path(scratch, "product")
            product.mkdir()
            for file, asset in zip(files, release.assets, strict=True):
                unpack(file, asset, product)
            os.rename(product, release.folder)

    def drop(self) -> None:
        """Removes the downloaded files, whose contents stand unpacked."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _verified(self, asset: Asset, program: Program, advance: Callable[[str, int], None]) -> Path:
        with self._lock:
            lock = self._locks.setdefault(asset.url, threading.Lock())
        with lock, self._slots:
            # The whole path: Kubernetes' files have no version in their names.
            target = self._folder / asset.url.split("://", 1)[1].replace("/", "_")
            expected = recorded(asset.url) or self._vendors(asset)
            goes_on = target.exists() or download.partial_file(target).exists()
            self._fetch(asset, target, advance)
            if download.sha256(target) != expected and goes_on:
                # What an earlier run left may have been of another file.
                target.unlink()
                self._fetch(asset, target, advance)
            if (actual := download.sha256(target)) != expected:
                target.unlink()
                source = "tools/releases.sha256" if recorded(asset.url) else asset.checksums
                raise BuildError(
                    f"{program.name} {program.tag} is refused: {download.shown(address(asset.url))} has the SHA-256 {actual}, "
                    f"and {source} says {expected}; run it again in case the download was damaged, "
                    "and find out who changed the file if it is refused again"
                )
            return target

    def _fetch(self, asset: Asset, target: Path, advance: Callable[[str, int], None]) -> None:
        if not target.exists():
            url = address(asset.url)
            download.fetch(url, target, lambda there: advance(url, there))

    def _vendors(self, asset: Asset) -> str:
        name = asset.url.rsplit("/", 1)[1]
        digest = listed(download.text(address(asset.checksums)), name)
        if digest is None:
            raise BuildError(
                f"{download.shown(address(asset.checksums))} has no SHA-256 of {name}, which cannot be verified: set HONEYDUE_TOOLS=build"
            )
        return digest


def unpack(file: Path, asset: Asset, folder: Path) -> None:
    """Puts the asset's contents into the folder, executable; nothing else of an archive is written anywhere."""
    with _opened(file, asset) as member:
        for path, name in asset.contents.items():
            source = member(path)
            if source is None:
                raise BuildError(
                    f"{asset.url} has no file {path}: the vendor arranged the release anew, so set HONEYDUE_TOOLS=build"
                )
            with source, (folder / name).open("wb") as target:
                shutil.copyfileobj(source, target)
            (folder / name).chmod(0o755)


@contextmanager
def _opened(file: Path, asset: Asset) -> Iterator[Callable[[str], IO[bytes] | None]]:
    """How to read a member of the archive; a plain file is its own only member."""
    if "" in asset.contents:
        yield lambda _: file.open("rb")
    elif asset.url.endswith(".zip"):
        with zipfile.ZipFile(file) as archive:
            yield lambda path: archive.open(path) if path in archive.namelist() else None
    else:
        with tarfile.open(file) as archive:
            # Archives differ in whether their paths begin with "./".
            members = {member.name.removeprefix("./"): member for member in archive if member.isfile()}
            yield lambda path: archive.extractfile(members[path]) if path in members else None
