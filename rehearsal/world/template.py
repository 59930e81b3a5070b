"""Templates: worlds that are prepared once, kept stopped in the cache, and cloned for each test module that needs one.

A template is keyed by everything that its content depends on. A change of any of it makes another template, and one that
nobody asked for in two weeks is removed.
"""

import hashlib
import inspect
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rehearsal.layout import CHECKOUT, world_version
from rehearsal.world.locks import locked
from rehearsal.world.world import World
from tools import official, programs
from tools.cache import cache_folder

UNUSED_DAYS = 14
"""How long a template is kept that no test asks for. Every change of the program makes others."""
PROGRAM = ("__main__.py", "Pulumi.yaml", "Pulumi.prod.yaml", "infra/**/*")
"""What the state of an applied world depends on, in the project's folder."""
TOOLS = ("rehearsal/**/*", "ops/**/*", "requirements.txt")
"""Likewise, in the checkout."""


def folder() -> Path:
    """Where templates are kept."""
    return cache_folder() / "worlds"


@dataclass(frozen=True, kw_only=True)
class Template:
    """How a world is prepared.

    Attributes:
        name: names the template's folder, before its key.
        prepare: is called once with a fresh, running world, and prepares it. The file that defines it is part of the key.
        project: the folder whose program and settings the world rehearses.
    """

    name: str
    prepare: Callable[[World], object]
    project: Path = CHECKOUT

    @property
    def key(self) -> str:
        """Changes with the program, its settings, the requirements, the tools, the rehearsal's code and the preparation's code."""
        replaced = official.usable()
        engine = replaced.version if replaced else " ".join(program.key for program in programs.ENGINE)
        digest = hashlib.sha256(f"{self.name} {world_version()} {engine} {sys.version}".encode())
        preparation = Path(inspect.getfile(self.prepare))
        for name, file in [*_files(self.project, PROGRAM), *_files(CHECKOUT, TOOLS), ("preparation", preparation)]:
            digest.update(f"\n{name} {hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
        return digest.hexdigest()[:12]

    @property
    def place(self) -> Path:
        """The folder of the prepared world, whether it is there yet or not."""
        return folder() / f"{self.name}-{self.key}"

    def clone(self, folder: Path, *, project: Path | None = None) -> World:
        """A stopped copy of the prepared world, in a folder that does not exist yet. Prepares the world first if nobody has.

        `project` replaces the template's own, and must hold the same settings and an equal program.
        """
        place = self.place
        with locked(_lock(place)):
            if not place.is_dir():
                self._make(place)
            # Under the lock, so that nobody finds the template unused between here and the copy.
            os.utime(place)
        remove_unused()
        return World(place, project=self.project).clone(folder, project=project)

    def _make(self, place: Path) -> None:
        scratch = _scratch(place)
        # A killed predecessor may have left its world behind.
        _discard(scratch)
        try:
            with World(scratch / "world", project=self.project) as world:
                self.prepare(world)
                world.down(keep=True)
                # The template appears by rename: whole or not at all.
                world.clone(scratch / "template").layout.folder.rename(place)
        finally:
            _discard(scratch)


def _files(top: Path, patterns: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    for pattern in patterns:
        for file in sorted(top.glob(pattern)):
            if file.is_file() and "__pycache__" not in file.parts:
                yield str(file.relative_to(top)), file


def _scratch(place: Path) -> Path:
    return place.with_name(f".building-{place.name}")


def _discard(scratch: Path) -> None:
    if scratch.is_dir():
        World(scratch / "world").down()
        shutil.rmtree(scratch)


def _lock(place: Path) -> Path:
    return place.with_name(f".{place.name}.lock")


def remove_unused() -> None:
    """Removes the templates that nobody asked for in so many days."""
    oldest = time.time() - timedelta(days=UNUSED_DAYS).total_seconds()
    for place in [one for one in folder().glob("[!.]*/") if one.stat().st_mtime < oldest]:
        with locked(_lock(place)):
            # Another process may have removed it, or used it, before this one got the lock.
            if place.is_dir() and place.stat().st_mtime < oldest:
                # Renamed first: a removal that is interrupted must not leave half a template.
                scratch = _scratch(place)
                _discard(scratch)
                place.rename(scratch)
                shutil.rmtree(scratch)
