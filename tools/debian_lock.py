"""Writes the lock files of Debian's packages anew: `python -m tools.debian_lock [set …]`, on a machine with apt and Debian's keys.

apt resolves the sets against Debian 12 alone, with an empty machine in mind, from sources and a state of its own. Then every file is
fetched once, for its SHA-1: snapshot.debian.org knows files by nothing else.
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
from rich.console import Console

from tools.debian import SETS, TIMEOUT_SECONDS, Package, PackageSet, named
from tools.programs import BuildError

KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCES = (
    ("http://deb.debian.org/debian", "bookworm"),
    ("http://deb.debian.org/debian", "bookworm-updates"),
    ("http://deb.debian.org/debian-security", "bookworm-security"),
)
SCRIPTS_ALONE = (
    *("adduser", "debconf", "dpkg", "init-system-helpers", "libpam-runtime", "lsb-base", "passwd", "perl", "perl-base"),
    *("sysvinit-utils", "tar", "ucf", "usr-is-merged"),
    *("locales", "openssl", "postgresql-client-common", "postgresql-common", "sensible-utils", "ssl-cert"),
    # Not only they, but nothing here compiles its queries.
    "libllvm14",
)
"""Needed by maintainer scripts and wrappers, none of which runs: apt is told that they are there."""


def resolved(chosen: PackageSet, folder: Path) -> Iterator[tuple[str, str]]:
    """URL and sha256 of every package of the set, in apt's order."""
    if not chosen.closed:
        plan = _apt(folder, "download", "--print-uris", *chosen.packages)
    else:
        plan = _apt(folder, "install", "--yes", "--no-install-recommends", "--print-uris", *chosen.packages)
    for url, sha256 in re.findall(r"^'(\S+)' \S+ \d+ SHA256:([0-9a-f]{64})$", plan, re.M):
        yield unquote(url), sha256


def lock(chosen: PackageSet, folder: Path) -> str:
    """The text of its lock file."""
    lines = [f"# Debian 12, {chosen.name}: path in the archive, sha256, SHA-1; written by python -m tools.debian_lock"]
    with requests.Session() as session:
        for url, sha256 in resolved(chosen, folder):
            content = session.get(url, timeout=TIMEOUT_SECONDS).content
            if hashlib.sha256(content).hexdigest() != sha256:
                raise BuildError(f"{url} is not what apt's signed lists say it is")
            path = url.split("/", 3)[3]
            lines.append(
                str(Package(path=path, sha256=sha256, sha1=hashlib.sha1(content, usedforsecurity=False).hexdigest()))
            )
    return "\n".join(lines) + "\n"


def _apt(folder: Path, *arguments: str) -> str:
    apt = shutil.which("apt-get")
    if apt is None or not Path(KEYS).exists():
        raise BuildError(f"lock files are written on a Debian machine: apt-get or {KEYS} is missing")
    options = {
        "Acquire::ForceHash": "SHA256",
        "APT::Architecture": "amd64",
        "APT::Architectures": "amd64",
        # The machine's own sources, pins and packages have no say.
        "Dir::Etc": folder,
        "Dir::State": folder,
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder,
    }
    flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    done = subprocess.run([apt, "-qq", *flags, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = done.stderr.strip() or "it said nothing"
        raise BuildError(f"apt-get {arguments[0]} failed: {said.splitlines()[-1]}")
    return done.stdout


def prepare(folder: Path) -> None:
    """apt's own sources and its picture of an empty machine; fetches the lists."""
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "sources.list").write_text(
        "".join(f"deb [signed-by={KEYS}] {url} {suite} main\n" for url, suite in SOURCES)
    )
    (folder / "status").write_text(
        "\n".join(
            # Of a version above any other, and good for a dependency on `perl:any` too.
            f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nMulti-Arch: allowed\nVersion: 99:0\n"
            f"Maintainer: nobody\nDescription: assumed\n"
            for name in SCRIPTS_ALONE
        )
    )
    _apt(folder, "update")


def main() -> int:
    console = Console(stderr=True, soft_wrap=True)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            # apt fetches as a user of its own.
            Path(scratch).chmod(0o755)
            prepare(Path(scratch))
            for chosen in _asked_for(sys.argv[1:]):
                text = lock(chosen, Path(scratch))
                chosen.lock.write_text(text)
                console.print(f"{chosen.lock.name}: {len(text.splitlines()) - 1} packages", highlight=False)
    except (BuildError, requests.RequestException) as error:
        console.print(f"[red]tools:[/] {error}", highlight=False)
        return 1
    return 0


def _asked_for(names: Sequence[str]) -> Sequence[PackageSet]:
    if unknown := set(names) - {one.name for one in SETS}:
        raise BuildError(
            f"no set of packages is named {', '.join(sorted(unknown))}; there are {', '.join(one.name for one in SETS)}"
        )
    return [named(name) for name in names] or SETS


if __name__ == "__main__":
    sys.exit(main())
