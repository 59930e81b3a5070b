"""Templates: worlds that are prepared once, stored in the cache, and cloned for each test module that needs one.

The key of a template is a digest of everything that its content depends on, so a change creates a new template. A
template that was not used for two weeks is removed.
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

from rehearsal.engine.plugins import choose_plugins
from rehearsal.layout import CHECKOUT, world_version
from rehearsal.world.locks import locked
from rehearsal.world.world import World
from tools import official, programs
from tools.cache import cache_folder

UNUSED_DAYS = 14
"""How long an unused template is kept. Every change of the program creates new ones."""
PROJECT_FILES = ("__main__.py", "Pulumi.yaml", "Pulumi.prod.yaml", "infra/**/*")
"""The files of the project folder that the state of a world depends on."""
CHECKOUT_FILES = ("rehearsal/**/*", "ops/**/*", "requirements.txt")
"""The files of the checkout that it depends on."""


def folder() -> Path:
    """The folder of all templates."""
    return cache_folder() / "worlds"


@dataclass(frozen=True, kw_only=True)
class Template:
    """A prepared world.

    Attributes:
        name: the first part of the folder's name, before the key.
        prepare: prepares a new, running world. The file that defines the function is part of the key.
        project: the folder of the Pulumi program and its settings.
    """

    name: str
    prepare: Callable[[World], object]
    project: Path = CHECKOUT

    @property
    def key(self) -> str:
        """A digest of the program, its settings, the requirements, the tools, the rehearsal and the preparation."""
        pulumi = official.usable()
        engine = pulumi.version if pulumi else " ".join(program.key for program in programs.ENGINE)
        # A world that was prepared with real plugins has other ids in its state.
        plugins = choose_plugins(None, None)
        digest = hashlib.sha256(f"{self.name} {world_version()} {engine} {sys.version} {plugins}".encode())
        preparation = Path(inspect.getfile(self.prepare))
        for name, file in [
            *_files(self.project, PROJECT_FILES),
            *_files(CHECKOUT, CHECKOUT_FILES),
            ("preparation", preparation),
        ]:
            digest.update(f"\n{name} {hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
        return digest.hexdigest()[:12]

    @property
    def path(self) -> Path:
        """The folder of the prepared world, whether it exists or not."""
        return folder() / f"{self.name}-{self.key}"

    def clone(self, folder: Path, *, project: Path | None = None) -> World:
        """Returns a stopped copy of the prepared world in a new folder. Prepares the world if it does not exist.

        `project` replaces the template's project. It must contain the same program and settings.
        """
        path = self.path
        with locked(_lock(path)):
            if not path.is_dir():
                self._make(path)
            # While the lock is held, so that no other process removes the template before it is copied.
            os.utime(path)
        remove_unused()
        return World(path, project=self.project).clone(folder, project=project)

    def _make(self, path: Path) -> None:
        work_folder = _work_folder(path)
        # An earlier process may have been killed while it prepared this template.
        _remove_work_folder(work_folder)
        try:
            with World(work_folder / "world", project=self.project) as world:
                self.prepare(world)
                world.down(keep=True)
                # Rename at the end, so that an incomplete template is never used.
                world.clone(work_folder / "template").layout.folder.rename(path)
        finally:
            _remove_work_folder(work_folder)


def _files(top: Path, patterns: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    for pattern in patterns:
        for file in sorted(top.glob(pattern)):
            if file.is_file() and "__pycache__" not in file.parts:
                yield str(file.relative_to(top)), file


def _work_folder(path: Path) -> Path:
    return path.with_name(f".building-{path.name}")


def _remove_work_folder(work_folder: Path) -> None:
    if work_folder.is_dir():
        World(work_folder / "world").down()
        shutil.rmtree(work_folder)


def _lock(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def remove_unused() -> None:
    """Removes the templates that were not used for UNUSED_DAYS."""
    oldest = time.time() - timedelta(days=UNUSED_DAYS).total_seconds()
    for path in [path for path in folder().glob("[!.]*/") if path.stat().st_mtime < oldest]:
        with locked(_lock(path)):
            # Check again: another process may have removed or used it before this one got the lock.
            if path.is_dir() and path.stat().st_mtime < oldest:
                # Rename first, so that an interrupted removal leaves no incomplete template.
                work_folder = _work_folder(path)
                _remove_work_folder(work_folder)
                path.rename(work_folder)
                shutil.rmtree(work_folder)
