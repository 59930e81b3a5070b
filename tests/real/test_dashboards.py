"""Every query of every panel returns data, in the form of Grafana and in that of vmui.

The screenshots are written by `make screenshots` only.
"""

import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import pytest

from dashboards import Dashboard, dashboards
from dashboards.grafana import CLUSTER, NEW_IMAGES
from dashboards.promql import restricted
from rehearsal.external.metrics_database import MetricsDatabase
from rehearsal.world.world import World
from tests.real import monitoring, screenshots
from tests.real.hosts import ADMIN, API, APP
from tests.real.load import LoadGenerator
from tests.rehearsal.edge_client import EdgeClient
from tests.retry import eventually
from tests.unit.flips import example

DATA_SECONDS = 240
"""Two scrapes of every job, and for the alerts two evaluations of vmalert."""
SCREENSHOT_MINUTES = 15
LIGHT_LOAD = 1.0
"""Seconds between two requests."""
SETTINGS = example({**monitoring.SETTINGS, "cluster.etcdExposeMetrics": True})
"""Those of the world, whose servers expose the metrics of etcd."""


@pytest.fixture(scope="module")
def obs(monitored: World) -> MetricsDatabase:
    return monitoring.obs(monitored)


@pytest.fixture(scope="module")
def declared() -> Sequence[Dashboard]:
    return dashboards(SETTINGS)


def visit(visitors: Sequence[EdgeClient]) -> None:
    """One request to each app through each node."""
    for client in visitors:
        for host, path in {API: "/api/health/", APP: "/", ADMIN: "/"}.items():
            assert client.get(host, path).status == HTTPStatus.OK


def test_every_query_of_every_panel_returns_data(
    obs: MetricsDatabase, declared: Sequence[Dashboard], visitors: Sequence[EdgeClient]
) -> None:
    selected = CLUSTER.replace("$cluster", SETTINGS.domain)
    queries = {
        (dashboard.title, panel.title, query.legend): restricted(query.expr, selected)
        for dashboard in declared
        for panel in dashboard.panels
        for query in panel.queries
    }
    assert len(queries) > 50

    def every_query_returns_data() -> None:
        visit(visitors)
        assert [title for title, expression in queries.items() if not obs.query(expression)] == []

    eventually(every_query_returns_data, seconds=DATA_SECONDS)
    # Its result depends on the age of the pods, but it must be valid.
    obs.query(restricted(NEW_IMAGES, selected))


def test_no_query_returns_data_of_another_cluster(obs: MetricsDatabase, declared: Sequence[Dashboard]) -> None:
    other = CLUSTER.replace("$cluster", "other.example.com")
    expressions = [query.expr for dashboard in declared for panel in dashboard.panels for query in panel.queries]
    assert [expression for expression in expressions if obs.query(restricted(expression, other))] == []


def test_vmui_shows_the_dashboards_with_data(
    obs: MetricsDatabase, declared: Sequence[Dashboard], visitors: Sequence[EdgeClient]
) -> None:
    response = obs.send("GET", "/vmui/custom-dashboards", {})
    served: list[Mapping[str, Any]] = response.json()["dashboardsSettings"]
    assert [dashboard["title"] for dashboard in served] == [dashboard.title for dashboard in declared]
    panels = [panel for dashboard in served for row in dashboard["rows"] for panel in row["panels"]]

    def every_expression_returns_data() -> None:
        visit(visitors)
        assert [panel["title"] for panel in panels if not all(obs.query(expr) for expr in panel["expr"])] == []

    eventually(every_expression_returns_data, seconds=DATA_SECONDS)


@pytest.mark.screenshots
@pytest.mark.timeout(1800)
def test_write_screenshots(obs: MetricsDatabase, declared: Sequence[Dashboard], visitors: Sequence[EdgeClient]) -> None:
    """With requests for as long as the graphs show."""
    paths = {API: "/api/tasks/", APP: "/tasks", ADMIN: "/"}
    with LoadGenerator(visitors, paths, pause=LIGHT_LOAD):
        time.sleep(SCREENSHOT_MINUTES * 60)
    screenshots.write(obs, declared, minutes=SCREENSHOT_MINUTES)
