"""Root file systems made of pinned Debian 12 packages, unpacked into the same cache as the programs.

Nothing is installed on this machine, and no maintainer script runs. `_finish_installation` creates the files that those
scripts would create and that the programs need. `debian-<set>.lock` in this folder pins the SHA-256 of each package;
`python -m tools.debian_lock` writes it.
"""

import hashlib
import platform
import posixpath
import re
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import requests
from debian.debfile import DebFile
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tools.cache import cache_folder, cache_lock
from tools.console import counted, print_plain, stderr_console
from tools.errors import ToolsError
from tools.program import HERE
from tools.staging import staging_folder

ARCHIVE = "https://deb.debian.org"
SNAPSHOT = "https://snapshot.debian.org/file"
"""Serves files by SHA-1. It keeps the versions that the archive has replaced by newer ones."""
TIMEOUT_SECONDS = 60
MACHINE = "x86_64"

MERGED_FOLDERS = ("bin", "lib", "lib64", "sbin")
"""Symbolic links to the folders of the same name in usr/, as in each Debian 12. Its packages still use both paths."""
FOLDERS = ("dev", "etc", "proc", "root", "run", "sys", "tmp", "var/tmp", "var/lib", "var/log")
EXCLUDED = ("usr/share/doc/", "usr/share/info/", "usr/share/lintian/", "usr/share/locale/", "usr/share/man/")
"""Documentation and translations: a third of all files."""
ALTERNATIVES = {
    "usr/bin/awk": "mawk",
    # Debian's default alternative of iptables is the one for nftables.
    **{
        f"usr/sbin/{name}{suffix}": f"{name}-nft{suffix}"
        for name in ("iptables", "ip6tables")
        for suffix in ("", "-save", "-restore")
    },
}
"""The links that `update-alternatives` would create if the package is in the set."""


@dataclass(frozen=True, kw_only=True)
class PackageSet:
    """The packages of one root file system. Its `repr` is part of the key of the unpacked folder."""

    name: str
    packages: tuple[str, ...] = field(repr=False)
    with_dependencies: bool = field(default=True, repr=False)
    """Whether the set contains the dependencies of its packages."""
    users: Mapping[str, int] = field(default_factory=dict)
    """Unprivileged users and their IDs. Each has a group with the same name and ID."""

    @property
    def lock(self) -> Path:
        return HERE / f"debian-{self.name}.lock"

    @property
    def key(self) -> str:
        """Name of the unpacked folder. It depends on all packages and on the constants that change their files."""
        digest = hashlib.sha256(f"{self!r} {FOLDERS} {EXCLUDED} {ALTERNATIVES}".encode())
        digest.update(self.lock.read_bytes())
        return f"debian-{self.name}-{digest.hexdigest()[:12]}"


_SHELL = ("coreutils", "dash", "grep")
PACKAGE_SETS = (
    PackageSet(
        name="node",
        packages=(
            *("containerd", "runc", "containernetworking-plugins", "tini"),
            *("iptables", "ipset", "conntrack", "iproute2", "kmod", "procps"),
            *("mount", "util-linux", "bash", "findutils", "sed", *_SHELL),
        ),
    ),
    # 999 is the ID of redis' user in the image that production uses.
    PackageSet(name="redis", packages=("redis-server", "redis-tools", *_SHELL), users={"redis": 999}),
    PackageSet(name="redis-exporter", packages=("prometheus-redis-exporter",)),
    PackageSet(name="postgresql", packages=("postgresql-15", "pgbouncer", *_SHELL), users={"postgres": 70}),
    # 10001 is the user of the image honeydue-backup. initdb looks up its name.
    PackageSet(
        name="backup",
        packages=("postgresql-15", "python3-minimal", "libpython3-stdlib", *_SHELL),
        users={"backup": 10001},
    ),
    # Tests import its Python modules to validate user data. requirements-dev.txt contains their dependencies.
    PackageSet(name="cloud-init", packages=("cloud-init",), with_dependencies=False),
)


def by_name(name: str) -> PackageSet:
    """The package set with this name."""
    return next(package_set for package_set in PACKAGE_SETS if package_set.name == name)


@dataclass(frozen=True, kw_only=True)
class Package:
    """One line of a lock file."""

    path: str
    """Path in Debian's archive."""
    sha256: str
    sha1: str

    @classmethod
    def parse(cls, line: str) -> "Package":
        path, sha256, sha1 = line.split()
        return cls(path=path, sha256=sha256, sha1=sha1)

    def __str__(self) -> str:
        return f"{self.path} {self.sha256} {self.sha1}"

    @property
    def title(self) -> str:
        """Name and version, separated by a space."""
        name, version = self.path.rsplit("/", 1)[1].split("_")[:2]
        return f"{name} {version}"

    @property
    def urls(self) -> tuple[str, str]:
        return f"{ARCHIVE}/{self.path}", f"{SNAPSHOT}/{self.sha1}"


def locked_packages(package_set: PackageSet) -> Sequence[Package]:
    """The packages that the set's lock file pins."""
    lines = package_set.lock.read_text().splitlines()
    return [Package.parse(line) for line in lines if not line.startswith("#")]


def root_filesystem(name: str, console: Console | None = None) -> Path:
    """The folder with the root file system of a package set. Creates it if it is missing. Raises ToolsError."""
    package_set, cache = by_name(name), cache_folder()
    target = cache / package_set.key
    if target.is_dir():
        return target
    packages = locked_packages(package_set)
    if any(not package.path.endswith("_all.deb") for package in packages) and platform.machine() != MACHINE:
        raise ToolsError(
            f"the Debian packages of {name} are pinned for {MACHINE}, but this machine is {platform.machine()}: "
            f"use an {MACHINE} machine"
        )
    cache.mkdir(parents=True, exist_ok=True)
    with cache_lock(cache):
        if not target.is_dir():
            with staging_folder(target) as staging:
                _unpack_all(packages, staging, console or stderr_console())
                _finish_installation(staging, package_set)
    return target


def _unpack_all(packages: Sequence[Package], folder: Path, console: Console) -> None:
    for name in MERGED_FOLDERS:
        (folder / "usr" / name).mkdir(parents=True)
        (folder / name).symlink_to(f"usr/{name}")
    print_plain(
        console, f"Downloading {counted(len(packages), 'pinned Debian package')} into {folder.parent.parent}, once"
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
            archive.write_bytes(download(package, session))
            _unpack(archive, folder)
            progress.advance(task)


def download(package: Package, session: requests.Session) -> bytes:
    """The content of a package with the pinned SHA-256. Raises ToolsError if neither URL serves it."""
    problems = []
    for url in package.urls:
        try:
            response = session.get(url, timeout=TIMEOUT_SECONDS)
            response.raise_for_status()
        except requests.RequestException as error:
            problems.append(f"{url}: {type(error).__name__}")
            continue
        if hashlib.sha256(response.content).hexdigest() == package.sha256:
            return response.content
        problems.append(f"{url}: its SHA-256 differs from the pinned one")
    raise ToolsError(f"cannot download {package.title}: check the network ({'; '.join(problems)})")


def _unpack(package: Path, folder: Path) -> None:
    with DebFile(package) as deb:
        data = deb.data.tgz()
        members = [member for member in data if not _merged_path(member.name).startswith(EXCLUDED)]
        data.extractall(folder, members, filter=_relocate)  # noqa: S202  # _relocate applies tarfile.data_filter


def _merged_path(path: str) -> str:
    """The path without the symbolic links of MERGED_FOLDERS: bin/sh becomes usr/bin/sh."""
    path = posixpath.normpath(path.lstrip("/"))
    return f"usr/{path}" if re.match(rf"({'|'.join(MERGED_FOLDERS)})(/|$)", path) else path


def _relocate(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """A filter of `tarfile`: moves a member to its merged path and makes its link target relative."""
    name, target = _merged_path(member.name), member.linkname
    if member.issym() and target.startswith("/"):
        # A relative link stays in this root file system. An absolute one would point into the machine's own.
        target = posixpath.relpath(_merged_path(target), posixpath.dirname(name))
    elif member.islnk():
        target = _merged_path(target)
    # data_filter rejects members outside of the folder and removes setuid bits.
    return tarfile.data_filter(member.replace(name=name, linkname=target), folder)


def _finish_installation(folder: Path, package_set: PackageSet) -> None:
    """Creates the folders, links and users that maintainer scripts would create."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "var/tmp"):
        (folder / name).chmod(0o1777)
    for link, target in ALTERNATIVES.items():
        if (folder / link).with_name(target).exists():
            (folder / link).symlink_to(target)
    users = {"root": 0, **package_set.users, "nobody": 65534}
    (folder / "etc/passwd").write_text("".join(f"{name}:x:{uid}:{uid}::/:/bin/sh\n" for name, uid in users.items()))
    (folder / "etc/group").write_text("".join(f"{name}:x:{gid}:\n" for name, gid in users.items()))


def main() -> int:
    """Creates the root file systems of all package sets and prints their folders. Returns the exit code."""
    console = stderr_console()
    try:
        for package_set in PACKAGE_SETS:
            print_plain(console, f"{package_set.name}: {root_filesystem(package_set.name, console)}")
    except ToolsError as error:
        print_plain(console, f"tools: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
