"""What these tests need is built and fetched first; a world with real nodes, which need Linux and root."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rehearsal.images.archive import write
from rehearsal.world import World
from tests.unit.capture import production, run
from tests.unit.manifests import manifests, of
from tools import build, programs

from .toolbox import toolbox_image


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    build.build_missing(Console(stderr=True), [*build.needed(), *programs.NODES])


@pytest.fixture(scope="session")
def pods() -> Mapping[str, Any]:
    """The pod of each workload that the program declares with production's settings, by the workload's name."""
    objects = manifests(run(production()))
    workloads = [one for kind in ("Deployment", "Job") for one in of(objects, kind)]
    return {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in workloads}


@pytest.fixture(scope="session")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    archive = tmp_path_factory.mktemp("images") / "toolbox.tar"
    write(toolbox_image(), archive)
    return archive


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory, toolbox: Path) -> Iterator[World]:
    """Three nodes with the cluster's DNS; nothing of honeyDue's was applied yet."""
    with World(tmp_path_factory.mktemp("worlds") / "real", real=True, images=[toolbox]) as world:
        yield world
