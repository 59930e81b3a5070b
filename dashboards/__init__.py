"""The dashboards of a stack, for Grafana and for vmui (docs/dashboards.md).

Each dashboard has one definition, which `dashboards.grafana` and `dashboards.vmui` render.
"""

from collections.abc import Sequence

from dashboards import api, cluster, database, redis, traefik
from dashboards.model import Dashboard, Line, Panel, Query, Unit
from infra.monitoring.rules import jobs_of
from infra.settings.monitoring import MonitoringSettings
from infra.settings.scaling import Autoscaling
from infra.settings.schema import Settings

__all__ = ["Dashboard", "Line", "Panel", "Query", "Unit", "dashboards", "dashboards_of"]


def dashboards(settings: Settings) -> Sequence[Dashboard]:
    """The dashboards of a stack. Empty without monitoring."""
    if settings.monitoring is None:
        return []
    return dashboards_of(settings.monitoring, scale=settings.scale.api, with_etcd=settings.cluster.etcd_expose_metrics)


def dashboards_of(monitoring: MonitoringSettings, *, scale: Autoscaling, with_etcd: bool) -> Sequence[Dashboard]:
    """The dashboards with the panels whose scrape jobs are on. `scale` is that of api."""
    jobs = frozenset(jobs_of(monitoring, with_etcd=with_etcd))
    every = [
        cluster.dashboard(),
        api.dashboard(scale),
        traefik.dashboard(),
        redis.dashboard(),
        *([database.dashboard(monitoring.api)] if monitoring.api else []),
    ]
    return [reduced for dashboard in every if (reduced := dashboard.with_jobs(jobs)).panels]
