from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.world import World


@pytest.fixture(scope="session")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which production's own configuration stands. Tests change its settings and leave it standing."""
    with World(tmp_path_factory.mktemp("worlds") / "production") as world:
        world.pulumi("up", "--yes", "--skip-preview")
        yield world


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[World]:
    """A world in which nothing was applied yet."""
    with World(tmp_path / "empty") as world:
        yield world
