"""Helpers for the tests of logs: a world with logs, and the lines that arrived outside of the cluster."""

from pathlib import Path

from ops import stackfile
from rehearsal.engine.configuration import read_stack_settings
from rehearsal.external.log_database import LogDatabase
from rehearsal.real_nodes.cluster_config import log_database
from rehearsal.traefik import daemonset
from rehearsal.traefik.chart import chart_values
from rehearsal.world.world import World
from tests.rehearsal.operator import editable_copy

SETTINGS = {"logs": {"url": "https://logs.example.com", "username": "cluster"}}


def project(folder: Path) -> Path:
    """A copy of the program whose settings switch logs on."""
    editable_copy(folder)
    for path, value in SETTINGS.items():
        stackfile.set_value(folder / "Pulumi.prod.yaml", f"honeydue:{path}", value)
    return folder


def apply(world: World) -> None:
    """Applies the program, and installs Traefik."""
    world.pulumi("up", "--yes", "--skip-preview")
    daemonset.install(world.kubectl_client(), chart_values(world.kubectl_client()))


def obs(world: World) -> LogDatabase:
    """The log database of the world."""
    server = log_database(world.layout, read_stack_settings(world.settings_file))
    assert server is not None
    return server
