"""Installs programs from their vendors' releases. Each file is verified before any of its contents are used."""

import os
import shutil
import tarfile
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
from tools.checksums import listed_sha256, recorded_sha256
from tools.download import Availability
from tools.errors import ToolsError
from tools.program import Asset, Program, this_platform
from tools.staging import staging_folder

PARALLEL_DOWNLOADS = 4
"""More downloads would share the same bandwidth; fewer would leave it idle between two files."""


def download_url(url: str) -> str:
    """The URL of a vendor's file, or of its copy at `HONEYDUE_RELEASE_MIRROR`, which has one folder per host."""
    mirror = os.environ.get("HONEYDUE_RELEASE_MIRROR", "").rstrip("/")
    if not mirror:
        return url
    if not mirror.startswith(("http://", "https://")):
        raise ToolsError(
            f"HONEYDUE_RELEASE_MIRROR is {mirror!r}: expected the http:// or https:// URL of a mirror; "
            "unset it to download from the vendors"
        )
    parts = urlsplit(url)
    return f"{mirror}/{parts.netloc}{parts.path}"


@dataclass(frozen=True, kw_only=True)
class VendorRelease:
    """A program's release for this platform."""

    program: Program
    folder: Path
    """The folder that the installation creates."""
    assets: Sequence[Asset]

    @property
    def urls(self) -> Sequence[str]:
        """The URLs of all files that the installation downloads, including the lists of checksums."""
        lists = (asset.checksums for asset in self.assets if not recorded_sha256(asset.url))
        return [download_url(url) for url in (*(asset.url for asset in self.assets), *lists)]

    def unreachable_hosts(self, availability: Mapping[str, Availability]) -> Mapping[str, str]:
        """The unreachable hosts, each with the reason."""
        return {download.host(url): availability[url].reason for url in self.urls if not availability[url].reachable}

    def missing_files(self, availability: Mapping[str, Availability]) -> Sequence[str]:
        """The URLs that do not exist at the vendor's site."""
        files = {url: availability[url] for url in self.urls}
        return [download.printable_url(url) for url, file in files.items() if file.reachable and not file.exists]


def vendor_release(program: Program, folder: Path) -> VendorRelease:
    """The release for this platform, to be installed into `folder`."""
    return VendorRelease(program=program, folder=folder, assets=program.assets(this_platform()))


class ReleaseInstaller:
    """Downloads and unpacks releases into one cache. Thread-safe. A file that two programs share is downloaded once."""

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "downloads"
        self._file_locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(PARALLEL_DOWNLOADS)

    def install(self, release: VendorRelease, on_progress: Callable[[str, int], None]) -> None:
        """Creates the program's folder. Raises ToolsError if a file cannot be downloaded or its checksum is wrong.

        Calls `on_progress` with the URL of a file and the bytes downloaded so far.
        """
        self._folder.mkdir(exist_ok=True)
        with ThreadPoolExecutor(len(release.assets)) as pool:
            files = list(pool.map(lambda asset: self._download(asset, release.program, on_progress), release.assets))
        with staging_folder(release.folder) as staging:
            for file, asset in zip(files, release.assets, strict=True):
                unpack(file, asset, staging)

    def remove_downloads(self) -> None:
        """Removes the downloaded files after their contents were unpacked."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _download(self, asset: Asset, program: Program, on_progress: Callable[[str, int], None]) -> Path:
        """Downloads and verifies a file."""
        with self._lock:
            file_lock = self._file_locks.setdefault(asset.url, threading.Lock())
        with file_lock, self._slots:
            # Named after the whole path, because the names of Kubernetes' files do not contain the version.
            target = self._folder / asset.url.split("://", 1)[1].replace("/", "_")
            expected = recorded_sha256(asset.url) or self._vendor_sha256(asset)
            resumed = target.exists() or download.partial_file(target).exists()
            self._fetch(asset, target, on_progress)
            if download.sha256(target) != expected and resumed:
                # The partial file of an earlier run may have been part of another file.
                target.unlink()
                self._fetch(asset, target, on_progress)
            if (actual := download.sha256(target)) != expected:
                target.unlink()
                source = "tools/releases.sha256" if recorded_sha256(asset.url) else asset.checksums
                raise ToolsError(
                    f"{program.name} {program.tag} is refused: {download.printable_url(download_url(asset.url))} has "
                    f"the SHA-256 {actual}, but {source} contains {expected}; run the same command again in case the "
                    "download was damaged, and find out who changed the file if it is refused again"
                )
            return target

    def _fetch(self, asset: Asset, target: Path, on_progress: Callable[[str, int], None]) -> None:
        if not target.exists():
            url = download_url(asset.url)
            download.fetch(url, target, lambda size: on_progress(url, size))

    def _vendor_sha256(self, asset: Asset) -> str:
        name = asset.url.rsplit("/", 1)[1]
        url = download_url(asset.checksums)
        sha256 = listed_sha256(download.text(url), name)
        if sha256 is None:
            raise ToolsError(
                f"{download.printable_url(url)} contains no SHA-256 of {name}, which cannot be verified: "
                "set HONEYDUE_TOOLS=build"
            )
        return sha256


def unpack(file: Path, asset: Asset, folder: Path) -> None:
    """Writes the asset's contents into the folder as executable files. Other files of the archive are ignored."""
    with _archive_reader(file, asset) as open_member:
        for path, name in asset.contents.items():
            source = open_member(path)
            if source is None:
                raise ToolsError(
                    f"{asset.url} contains no file {path}: the vendor changed the layout of the release; "
                    "set HONEYDUE_TOOLS=build"
                )
            with source, (folder / name).open("wb") as target:
                shutil.copyfileobj(source, target)
            (folder / name).chmod(0o755)


@contextmanager
def _archive_reader(file: Path, asset: Asset) -> Iterator[Callable[[str], IO[bytes] | None]]:
    """Yields a function that opens a member of the archive, or returns None if there is none with this path.

    A plain file has one member: itself.
    """
    if "" in asset.contents:
        yield lambda _: file.open("rb")
    elif asset.url.endswith(".zip"):
        with zipfile.ZipFile(file) as archive:
            yield lambda path: archive.open(path) if path in archive.namelist() else None
    else:
        with tarfile.open(file) as archive:
            # In some archives, paths start with "./".
            members = {member.name.removeprefix("./"): member for member in archive if member.isfile()}
            yield lambda path: archive.extractfile(members[path]) if path in members else None
