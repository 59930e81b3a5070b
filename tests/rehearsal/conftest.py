"""Worlds for the tests. Each module clones prepared worlds, so that pytest-xdist can run modules in parallel."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.world.world import World
from tests.rehearsal.templates import BROWNFIELD, EMPTY, PRODUCTION

SLOWEST_FIRST = (
    "test_restore",
    "test_bootstrap",
    "test_guardrails",
    "test_runbook",
    "test_adoption",
    "test_release",
    "test_migration",
)
"""The slowest modules. If one of them started last, it would run alone at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Orders the modules. With --no-loadscope-reorder, xdist starts them in this order."""
    order = {name: place for place, name in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which the program is applied with the example settings."""
    with PRODUCTION.clone(tmp_path_factory.mktemp("worlds") / "production") as world:
        yield world


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[World]:
    """A world in which nothing is applied yet."""
    with EMPTY.clone(tmp_path / "empty") as world:
        yield world


@pytest.fixture(scope="module")
def brownfield_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with the cluster as it was before Pulumi managed it, and with an empty stack."""
    with BROWNFIELD.clone(tmp_path_factory.mktemp("worlds") / "brownfield") as world:
        yield world
