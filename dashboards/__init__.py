"""The dashboards of a stack, for Grafana and for vmui (docs/dashboards.md).

Each dashboard has one definition, which `dashboards.grafana` and `dashboards.vmui` render.
"""

from collections.abc import Sequence

from dashboards import api, cluster, database, redis, traefik
from dashboards.model import Dashboard, Line, Panel, Query, Unit
from infra.monitoring.rules import scrape_jobs
from infra.settings.schema import Settings

__all__ = ["Dashboard", "Line", "Panel", "Query", "Unit", "dashboards"]


def dashboards(settings: Settings) -> Sequence[Dashboard]:
    """The dashboards with the panels whose scrape jobs are on. Empty without monitoring."""
    if settings.monitoring is None:
        return []
    jobs = frozenset(scrape_jobs(settings))
    every = [
        cluster.dashboard(),
        api.dashboard(settings.scale.api),
        traefik.dashboard(),
        redis.dashboard(),
        *([database.dashboard(settings.monitoring.api)] if settings.monitoring.api else []),
    ]
    return [reduced for dashboard in every if (reduced := dashboard.with_jobs(jobs)).panels]
