"""Pinned packages of Debian 12, unpacked as root file systems into the same cache as the built programs.

Nothing is installed on this machine and no maintainer script runs: what those would do, and what runs here needs, is done by `_settle`.
`debian-<set>.lock` beside this file pins every file by its sha256; `python -m tools.debian_lock` writes it anew.
"""

import hashlib
import os
import platform
import posixpath
import re
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import requests
from debian.debfile import DebFile
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tools.build import one_at_a_time
from tools.programs import HERE, BuildError, cache_folder

ARCHIVE = "https://deb.debian.org"
SNAPSHOT = "https://snapshot.debian.org/file"
"""By a file's SHA-1, for the day when Debian has a newer one: nothing leaves the snapshots."""
TIMEOUT_SECONDS = 60
MACHINE = "x86_64"

MERGED = ("bin", "lib", "lib64", "sbin")
"""Links to their namesakes under usr/, as on every Debian 12; its packages still name both."""
FOLDERS = ("dev", "etc", "proc", "root", "run", "sys", "tmp", "var/tmp", "var/lib", "var/log")
UNREAD = ("usr/share/doc/", "usr/share/info/", "usr/share/lintian/", "usr/share/locale/", "usr/share/man/")
"""For people alone; a third of the files."""
ALTERNATIVES = {
    "usr/bin/awk": "mawk",
    # nft: the one that Debian's own alternatives choose.
    **{
        f"usr/sbin/{name}{part}": f"{name}-nft{part}"
        for name in ("iptables", "ip6tables")
        for part in ("", "-save", "-restore")
    },
}
"""What `update-alternatives` would link, where the package is there."""


@dataclass(frozen=True, kw_only=True)
class PackageSet:
    """Packages that are of use together, and those who run them."""

    name: str
    packages: tuple[str, ...] = field(repr=False)
    closed: bool = field(default=True, repr=False)
    """Whether all that they depend on is there too."""
    users: Mapping[str, int] = field(default_factory=dict)
    """Unprivileged users, each with a group of the same number."""

    @property
    def lock(self) -> Path:
        return HERE / f"debian-{self.name}.lock"

    @property
    def key(self) -> str:
        """Changes with every byte of every package, and with what is made of them."""
        digest = hashlib.sha256(f"{self!r} {FOLDERS} {UNREAD} {ALTERNATIVES}".encode())
        digest.update(self.lock.read_bytes())
        return f"debian-{self.name}-{digest.hexdigest()[:12]}"


_SHELL = ("coreutils", "dash", "grep")
SETS = (
    PackageSet(
        name="node",
        packages=(
            *("containerd", "runc", "containernetworking-plugins", "tini"),
            *("iptables", "ipset", "conntrack", "iproute2", "kmod", "procps"),
            *("mount", "util-linux", "bash", "findutils", "sed", *_SHELL),
        ),
    ),
    # The number is the one of redis' user in the image that production runs.
    PackageSet(name="redis", packages=("redis-server", "redis-tools", *_SHELL), users={"redis": 999}),
    PackageSet(name="postgresql", packages=("postgresql-15", "pgbouncer", *_SHELL), users={"postgres": 70}),
    # Its Python files judge what nodes are told; what they import is in requirements-dev.txt.
    PackageSet(name="cloud-init", packages=("cloud-init",), closed=False),
)


def named(name: str) -> PackageSet:
    """The set of that name."""
    return next(one for one in SETS if one.name == name)


@dataclass(frozen=True, kw_only=True)
class Package:
    """One line of a lock file."""

    path: str
    sha256: str
    sha1: str

    @classmethod
    def read(cls, line: str) -> "Package":
        path, sha256, sha1 = line.split()
        return cls(path=path, sha256=sha256, sha1=sha1)

    def __str__(self) -> str:
        return f"{self.path} {self.sha256} {self.sha1}"

    @property
    def title(self) -> str:
        """Name and version, as the file's name tells them."""
        name, version = self.path.rsplit("/", 1)[1].split("_")[:2]
        return f"{name} {version}"

    @property
    def sources(self) -> tuple[str, str]:
        return f"{ARCHIVE}/{self.path}", f"{SNAPSHOT}/{self.sha1}"


def locked(chosen: PackageSet) -> Sequence[Package]:
    """What the lock file pins; its comments are for people."""
    return [Package.read(line) for line in chosen.lock.read_text().splitlines() if not line.startswith("#")]


def root(name: str, console: Console | None = None) -> Path:
    """The folder of that set's root file system, made when it is missing; a BuildError in one line when that fails."""
    chosen, cache = named(name), cache_folder()
    target = cache / chosen.key
    if target.is_dir():
        return target
    packages = locked(chosen)
    if any(not package.path.endswith("_all.deb") for package in packages) and platform.machine() != MACHINE:
        raise BuildError(
            f"Debian's packages of {name} are pinned for {MACHINE} machines, and this one is {platform.machine()}"
        )
    cache.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(cache):
        if not target.is_dir():
            with tempfile.TemporaryDirectory(dir=cache, prefix=".building-") as scratch:
                # Readable for those who run in it: a scratch folder is for its maker alone.
                unpacked = Path(scratch, "root")
                unpacked.mkdir(mode=0o755)
                _fill(unpacked, packages, console or Console(stderr=True, soft_wrap=True))
                _settle(unpacked, chosen)
                os.rename(unpacked, target)
    return target


def _fill(folder: Path, packages: Sequence[Package], console: Console) -> None:
    for name in MERGED:
        (folder / "usr" / name).mkdir(parents=True)
        (folder / name).symlink_to(f"usr/{name}")
    console.print(
        f"Fetching {len(packages)} pinned packages of Debian, once: kept in {folder.parent.parent}", highlight=False
    )
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with requests.Session() as session, Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(packages))
        for package in packages:
            progress.update(task, description=package.title)
            archive = folder.with_name("package.deb")
            archive.write_bytes(fetched(package, session))
            _unpack(archive, folder)
            progress.advance(task)


def fetched(package: Package, session: requests.Session) -> bytes:
    """The package's file, the one that was reviewed; a BuildError in one line when neither source has it."""
    said = []
    for url in package.sources:
        try:
            answer = session.get(url, timeout=TIMEOUT_SECONDS)
            answer.raise_for_status()
        except requests.RequestException as error:
            said.append(f"{url}: {type(error).__name__}")
            continue
        if hashlib.sha256(answer.content).hexdigest() == package.sha256:
            return answer.content
        said.append(f"{url}: another file than the one that was reviewed")
    raise BuildError(f"{package.title} could not be fetched, check the network ({'; '.join(said)})")


def _unpack(package: Path, folder: Path) -> None:
    with DebFile(package) as deb:
        data = deb.data.tgz()
        read = [one for one in data if not _merged(one.name).startswith(UNREAD)]
        data.extractall(folder, read, filter=_placed)  # noqa: S202  # the filter ends with the standard library's own


def _merged(path: str) -> str:
    """The path in a root file system whose bin, lib and sbin are links."""
    path = posixpath.normpath(path.lstrip("/"))
    return f"usr/{path}" if re.match(rf"({'|'.join(MERGED)})(/|$)", path) else path


def _placed(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    name, target = _merged(member.name), member.linkname
    if member.issym() and target.startswith("/"):
        # Of this root file system, not of the machine's.
        target = posixpath.relpath(_merged(target), posixpath.dirname(name))
    elif member.islnk():
        target = _merged(target)
    # "data": no path leads out of the folder, whatever the archive says; nobody becomes root by a file of it.
    return tarfile.data_filter(member.replace(name=name, linkname=target), folder)


def _settle(folder: Path, chosen: PackageSet) -> None:
    """What maintainer scripts would leave behind."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "var/tmp"):
        (folder / name).chmod(0o1777)
    for link, target in ALTERNATIVES.items():
        if (folder / link).with_name(target).exists():
            (folder / link).symlink_to(target)
    users = {"root": 0, **chosen.users, "nobody": 65534}
    (folder / "etc/passwd").write_text(
        "".join(f"{name}:x:{number}:{number}::/:/bin/sh\n" for name, number in users.items())
    )
    (folder / "etc/group").write_text("".join(f"{name}:x:{number}:\n" for name, number in users.items()))


def main() -> int:
    console = Console(stderr=True, soft_wrap=True)
    try:
        for one in SETS:
            console.print(f"{one.name}: {root(one.name, console)}", highlight=False)
    except BuildError as error:
        console.print(f"[red]tools:[/] {error}", highlight=False)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
