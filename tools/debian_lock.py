"""Writes the lock files of Debian packages: `python -m tools.debian_lock [set …]`. It needs apt and Debian's keyring.

apt resolves each set for an empty Debian 12 system, with its own sources and state instead of this machine's. Then each
package is downloaded once to compute its SHA-1, because snapshot.debian.org finds files by SHA-1 only.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

import requests

from tools.console import counted, print_plain, stderr_console
from tools.debian import PACKAGE_SETS, TIMEOUT_SECONDS, Package, PackageSet, by_name
from tools.errors import ToolsError

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCES = (
    ("http://deb.debian.org/debian", "bookworm"),
    ("http://deb.debian.org/debian", "bookworm-updates"),
    ("http://deb.debian.org/debian-security", "bookworm-security"),
)
ASSUMED_INSTALLED = (
    *("adduser", "debconf", "dpkg", "init-system-helpers", "libpam-runtime", "lsb-base", "passwd", "perl", "perl-base"),
    *("sysvinit-utils", "tar", "ucf", "usr-is-merged"),
    *("locales", "openssl", "postgresql-client-common", "postgresql-common", "sensible-utils", "ssl-cert"),
    # PostgreSQL uses it to compile queries (JIT), which rehearsals do not need.
    "libllvm14",
)
"""Dependencies of maintainer scripts and wrappers, which never run. apt must not resolve them."""


def resolve(package_set: PackageSet, folder: Path) -> Iterator[tuple[str, str]]:
    """URL and SHA-256 of each package of the set, in the order of apt's installation."""
    if not package_set.with_dependencies:
        output = _apt(folder, "download", "--print-uris", *package_set.packages)
    else:
        output = _apt(folder, "install", "--yes", "--no-install-recommends", "--print-uris", *package_set.packages)
    for url, sha256 in re.findall(r"^'(\S+)' \S+ \d+ SHA256:([0-9a-f]{64})$", output, re.M):
        yield unquote(url), sha256


def lock_file(package_set: PackageSet, folder: Path) -> str:
    """The text of the set's lock file."""
    lines = [
        f"# Debian 12, {package_set.name}: path in the archive, sha256, SHA-1; written by python -m tools.debian_lock"
    ]
    with requests.Session() as session:
        for url, sha256 in resolve(package_set, folder):
            content = session.get(url, timeout=TIMEOUT_SECONDS).content
            if hashlib.sha256(content).hexdigest() != sha256:
                raise ToolsError(
                    f"the SHA-256 of {url} differs from the one in Debian's signed package list: "
                    "check the network and the proxy, then run the same command again"
                )
            sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
            lines.append(str(Package(path=url.split("/", 3)[3], sha256=sha256, sha1=sha1)))
    return "\n".join(lines) + "\n"


def _apt(folder: Path, *arguments: str) -> str:
    apt = shutil.which("apt-get")
    if apt is None or not Path(KEYRING).exists():
        raise ToolsError(f"apt-get or {KEYRING} is missing: run this command on a Debian machine")
    options = {
        "Acquire::ForceHash": "SHA256",
        "APT::Architecture": "amd64",
        "APT::Architectures": "amd64",
        # apt ignores the sources, pins and packages of this machine.
        "Dir::Etc": folder,
        "Dir::State": folder,
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder,
    }
    flags = [flag for name, value in options.items() for flag in ("-o", f"{name}={value}")]
    result = subprocess.run([apt, "-qq", *flags, *arguments], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        errors = result.stderr.strip().splitlines() or ["no error message"]
        raise ToolsError(f"apt-get {arguments[0]} failed: {errors[-1]}")
    return result.stdout


def prepare(folder: Path) -> None:
    """Writes apt's sources and the package state of an empty system into the folder. Downloads the package lists."""
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "sources.list").write_text(
        "".join(f"deb [signed-by={KEYRING}] {url} {suite} main\n" for url, suite in SOURCES)
    )
    (folder / "status").write_text(
        "\n".join(
            # Version 99:0 satisfies all version constraints, "Multi-Arch: allowed" also dependencies on `perl:any`.
            f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nMulti-Arch: allowed\nVersion: 99:0\n"
            f"Maintainer: nobody\nDescription: assumed\n"
            for name in ASSUMED_INSTALLED
        )
    )
    _apt(folder, "update")


def main() -> int:
    """Writes the lock files of the sets that the arguments name, or of all. Returns the exit code."""
    console = stderr_console()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            # apt downloads as its own unprivileged user, which must be able to enter the folder.
            Path(temporary).chmod(0o755)
            prepare(Path(temporary))
            for package_set in _selected_sets(sys.argv[1:]):
                text = lock_file(package_set, Path(temporary))
                package_set.lock.write_text(text)
                print_plain(console, f"{package_set.lock.name}: {counted(len(text.splitlines()) - 1, 'package')}")
    except (ToolsError, requests.RequestException) as error:
        print_plain(console, f"tools: {error}")
        return 1
    return 0


def _selected_sets(names: Sequence[str]) -> Sequence[PackageSet]:
    known = [package_set.name for package_set in PACKAGE_SETS]
    if unknown := sorted(set(names).difference(known)):
        raise ToolsError(f"unknown package set {', '.join(unknown)}: expected one of {', '.join(known)}")
    return [by_name(name) for name in names] or PACKAGE_SETS


if __name__ == "__main__":
    sys.exit(main())
