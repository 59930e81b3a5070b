"""Worlds for the tests: each module clones prepared ones of its own, so that xdist can run whole modules beside each other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.world.world import World
from tests.rehearsal.templates import BROWNFIELD, EMPTY, PRODUCTION

SLOWEST_FIRST = (
    "test_restore",
    "test_founding",
    "test_guard_rails",
    "test_runbook",
    "test_adoption",
    "test_release",
    "test_migration",
)
"""Started last, one of these would run alone at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Orders the modules, which xdist takes in this order (--no-loadscope-reorder)."""
    order = {name: place for place, name in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which production's own configuration stands."""
    with PRODUCTION.clone(tmp_path_factory.mktemp("worlds") / "production") as world:
        yield world


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[World]:
    """A world in which nothing was applied yet."""
    with EMPTY.clone(tmp_path / "empty") as world:
        yield world


@pytest.fixture(scope="module")
def brownfield_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which production stands as it was built by hand, and no stack knows of it."""
    with BROWNFIELD.clone(tmp_path_factory.mktemp("worlds") / "brownfield") as world:
        yield world
