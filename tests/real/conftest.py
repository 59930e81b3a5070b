"""What these tests need is built and fetched first; a world with real nodes, which need Linux and root."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from xdist.scheduler import LoadScopeScheduling

from rehearsal.engine.configuration import read_stack_settings
from rehearsal.external.database import ExternalDatabase
from rehearsal.images.archive import write
from rehearsal.real_nodes import traefik_daemonset
from rehearsal.real_nodes.cluster_config import external_database
from rehearsal.traefik.ingress import chart_values
from rehearsal.world.world import World
from tests.real.cloudflare import CLOUDFLARE, STRANGER
from tests.real.inside import beyond
from tests.recipes import EXAMPLE
from tests.rehearsal.edge import Caller, origin_authority, uploaded_certificate
from tests.unit.capture import example_settings, run
from tests.unit.manifests import manifests, of
from tools import build, programs

from .toolbox import toolbox_image

LOST_NODE = "test_node_lost"
WITHOUT_PRODUCTION = ("test_changed_settings", "test_database", "test_images", "test_nothing_is_left", "test_standins")

BESIDE_OTHERS = (LOST_NODE, *WITHOUT_PRODUCTION)
"""The other modules run alone: with a second world on two cores, a release under constant requests lost two of them to time-outs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest module first. Whether everything started well is asked before anything else is done to that world."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker("real_nodes")
            if item.path.stem not in BESIDE_OTHERS:
                item.add_marker("alone")
    order = [LOST_NODE, "test_site"]
    items.sort(key=lambda item: order.index(item.path.stem) if item.path.stem in order else len(order))


class ByWorld(LoadScopeScheduling):  # type: ignore[misc]  # xdist says nothing of its types
    """Groups for the workers: a world that loses a node and mostly waits, a world for all others, and what needs neither.

    Not `--dist loadgroup`: xdist 3.8 adds a group's name to an attribute that pytest 9 no longer reads.
    """

    def _split_scope(self, nodeid: str) -> str:
        module = Path(nodeid.partition("::")[0]).stem
        if module == LOST_NODE:
            return "lost node"
        return "without production" if module in WITHOUT_PRODUCTION else "production"


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByWorld:
    return ByWorld(config, log)


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    build.build_missing(Console(stderr=True), [*build.needed(), *programs.NODES])


@pytest.fixture(scope="session")
def pods() -> Mapping[str, Any]:
    """The pod of each workload that the program declares with the settings of the tests, by the workload's name."""
    objects = manifests(run(example_settings()))
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
    with World(tmp_path_factory.mktemp("worlds") / "real", project=EXAMPLE, real_nodes=True, images=[toolbox]) as world:
        yield world


@pytest.fixture(scope="session")
def production(real: World) -> World:
    """All of production, on these nodes."""
    real.pulumi("up", "--yes", "--skip-preview")
    traefik_daemonset.install(real.kubectl_client(), chart_values(real))
    return real


@pytest.fixture(scope="session")
def neon(production: World) -> ExternalDatabase:
    """The database that stands for Neon's."""
    return external_database(production.layout, read_stack_settings(production.settings_file))


@pytest.fixture(scope="session")
def cloudflare(production: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Caller]]:
    """Cloudflare, connecting to each node."""
    certificate = uploaded_certificate(production, tmp_path_factory.mktemp("cloudflare"))
    trusts, nodes = origin_authority(production), production.outputs()["nodes"].values()
    with beyond(CLOUDFLARE), beyond(STRANGER):
        yield [
            Caller(port=443, trusts=trusts, certificate=certificate, address=one, source=CLOUDFLARE) for one in nodes
        ]
