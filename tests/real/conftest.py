"""A world with real nodes; they need Linux and root, and a test of them fails where those are missing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.images.archive import write
from rehearsal.world import World

from .toolbox import TOOLBOX


@pytest.fixture(scope="session")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    archive = tmp_path_factory.mktemp("images") / "toolbox.tar"
    write(TOOLBOX, archive)
    return archive


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory, toolbox: Path) -> Iterator[World]:
    """Three nodes with the cluster's DNS, and nothing of honeyDue's."""
    with World(tmp_path_factory.mktemp("worlds") / "real", real=True, images=[toolbox]) as world:
        yield world
