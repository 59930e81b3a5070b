from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal import byhand
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


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which production stands as it was built by hand, and no stack knows of it."""
    with World(tmp_path_factory.mktemp("worlds") / "by-hand") as world:
        byhand.build(world)
        yield world
