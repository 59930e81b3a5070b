"""Fixtures for tests with real nodes, which need Linux and root: worlds, images, and clients outside the cluster."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from xdist.scheduler import LoadScopeScheduling

from rehearsal.engine.configuration import read_stack_settings
from rehearsal.external.database import ExternalDatabase
from rehearsal.images.archive import write
from rehearsal.real_nodes.cluster_config import external_database
from rehearsal.traefik import daemonset
from rehearsal.traefik.chart import chart_values
from rehearsal.world.world import World
from tests.real import monitoring
from tests.real.hosts import ADMIN, API, APP, CLOUDFLARE_ADDRESS, OTHER_ADDRESS
from tests.real.network_namespaces import external_address
from tests.recipes import EXAMPLE
from tests.rehearsal.edge_client import EdgeClient, origin_ca, uploaded_certificate
from tests.retry import eventually
from tests.unit.capture import full_settings, run
from tests.unit.manifests import manifests, of_kind
from tools.install import install_missing
from tools.programs import DISTRIBUTION, MINIFLARE, NODES
from tools.purposes import required_programs

from .toolbox import toolbox_image

NODE_LOSS = ("test_node_loss", "test_queue")
"""Modules that replace nodes of their world, with the longest first."""
MONITORED = ("test_dashboards", "test_monitoring", "test_alerts")
"""Modules with a world that has monitoring. They are the last ones, because it ends with the session."""
WORLDS = ("test_backups", "test_changed_settings", "test_cleanup", "test_logs", "test_mirror", "test_traces")
"""Modules with a world of their own, which therefore run in any worker."""
MACHINE = (
    *("test_backup_program", "test_buckets", "test_database", "test_external_servers", "test_images"),
    *("test_kube_state_metrics", "test_leaving_neon", "test_queue_data", "test_standins", "test_vlagent"),
)
"""Modules without a world. Their servers have addresses of the machine, so that they run one after the other."""

CONCURRENT = (*NODE_LOSS, *MONITORED, *WORLDS, *MACHINE)
"""Modules that may run while another worker runs tests. The others get the mark `serial`: with a second world on two
cores, two requests of the release test timed out."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests, and orders the modules.

    The longest is the first, test_site precedes the modules that change its world, and the modules of one world follow
    each other.
    """
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker("real_nodes")
            if item.path.stem not in CONCURRENT:
                item.add_marker("serial")
    first, last = [*NODE_LOSS, "test_site"], [*MONITORED]

    def position(item: pytest.Item) -> int:
        name = item.path.stem
        return first.index(name) - len(first) if name in first else last.index(name) + 1 if name in last else 0

    items.sort(key=position)


class WorldScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no type annotations
    """Assigns the tests of one world, and those without a world, to one worker.

    `--dist loadgroup` does not work: xdist 3.8 adds the group's name to an attribute that pytest 9 no longer reads.
    """

    def _split_scope(self, nodeid: str) -> str:
        module = Path(nodeid.partition("::")[0]).stem
        groups = {"node loss": NODE_LOSS, "monitoring": MONITORED, "machine": MACHINE}
        shared = next((name for name, modules in groups.items() if module in modules), "production")
        return module if module in WORLDS else shared


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> WorldScheduling:
    return WorldScheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def programs_are_built() -> None:
    """Builds or downloads the missing programs before the first test."""
    install_missing(Console(stderr=True), [*required_programs(), *NODES, MINIFLARE, DISTRIBUTION])


@pytest.fixture(scope="session")
def pods() -> Mapping[str, Any]:
    """The pod spec of each controller and Job of the program with all optional settings, by name."""
    objects = manifests(run(full_settings()))
    kinds = ("Deployment", "DaemonSet", "StatefulSet", "Job")
    workloads = [workload for kind in kinds for workload in of_kind(objects, kind)]
    return {workload["metadata"]["name"]: workload["spec"]["template"]["spec"] for workload in workloads}


@pytest.fixture(scope="session")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of the toolbox image."""
    archive = tmp_path_factory.mktemp("images") / "toolbox.tar"
    write(toolbox_image(), archive)
    return archive


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory, toolbox: Path) -> Iterator[World]:
    """A world with three nodes and CoreDNS, before the first `pulumi up`."""
    with World(tmp_path_factory.mktemp("worlds") / "real", project=EXAMPLE, real_nodes=True, images=[toolbox]) as world:
        yield world


@pytest.fixture(scope="session")
def production(real: World) -> World:
    """The same world after `pulumi up`, with Traefik."""
    real.pulumi("up", "--yes", "--skip-preview")
    daemonset.install(real.kubectl_client(), chart_values(real.kubectl_client()))
    return real


@pytest.fixture(scope="session")
def neon(production: World) -> ExternalDatabase:
    """The database of the world, in place of Neon."""
    return external_database(production.layout, read_stack_settings(production.settings_file))


@pytest.fixture(scope="session")
def cloudflare(production: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[EdgeClient]]:
    """For each node, a client that connects to it as Cloudflare does."""
    with edge_clients(production, tmp_path_factory.mktemp("cloudflare")) as clients:
        yield clients


@pytest.fixture(scope="session")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world after `pulumi up`, with Traefik, metrics and alerts."""
    with monitored_world(tmp_path_factory.mktemp("worlds")) as world:
        yield world


@contextmanager
def monitored_world(folder: Path) -> Iterator[World]:
    """A world after `pulumi up`, with Traefik, metrics and alerts. `folder` must be empty."""
    with World(folder / "monitored", project=monitoring.project(folder), real_nodes=True) as world:
        monitoring.apply(world)
        yield world


@pytest.fixture(scope="module")
def visitors(monitored: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[EdgeClient]]:
    """For each node of the world with monitoring, a client that connects to it as Cloudflare does."""
    with edge_clients(monitored, tmp_path_factory.mktemp("visitors")) as clients:
        yield clients


@contextmanager
def edge_clients(world: World, folder: Path) -> Iterator[Sequence[EdgeClient]]:
    """Clients that connect to each node as Cloudflare does, after Traefik serves every host. `folder` must be empty."""
    certificate = uploaded_certificate(world, folder)
    trusted_ca, nodes = origin_ca(world), world.outputs()["nodes"].values()
    with external_address(CLOUDFLARE_ADDRESS), external_address(OTHER_ADDRESS):
        clients = [
            EdgeClient(
                port=443, trusted_ca=trusted_ca, certificate=certificate, address=node, source=CLOUDFLARE_ADDRESS
            )
            for node in nodes
        ]

        def every_host_is_served() -> None:
            for client in clients:
                for host, path in {API: "/api/health/", APP: "/", ADMIN: "/"}.items():
                    assert client.get(host, path).status == HTTPStatus.OK

        # Traefik applies the last Ingress and its endpoints some seconds after the up.
        eventually(every_host_is_served)
        yield clients
