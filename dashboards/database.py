"""The dashboard of the connections of api to the database, from api's own metrics."""

from dashboards.model import Dashboard, Line, Panel, Query, Unit
from infra.monitoring.rules import traffic
from infra.settings.monitoring import ApiMetrics

JOBS = ["api"]
OF_API = '{job="api"}'
WINDOW = "5m"
PREFIX = "go_sql_"
"""The prefix of the metrics of the collector for database/sql (collectors/dbstats_collector.go in client_golang)."""


def dashboard(api: ApiMetrics) -> Dashboard:
    """The panels that need another metric than `openConnections` are left out if api uses another collector."""
    standard = api.open_connections == f"{PREFIX}open_connections"
    return Dashboard(
        uid="honeydue-database",
        title="Database pool",
        description="How close api is to the limit of connections, and whether requests wait for one.",
        panels=[*_open(api), *(_pool() if standard else [])],
    )


def _open(api: ApiMetrics) -> list[Panel]:
    return [
        Panel(
            title="Open connections",
            unit=Unit.COUNT,
            jobs=JOBS,
            queries=[Query(expr=traffic.open_connections(api), legend="all pods")],
            line=Line(value=traffic.connection_limit(api), alert="DatabaseConnectionsHigh"),
            description=f"The database allows {api.max_connections} (monitoring.api.maxConnections), of all pods.",
        ),
        Panel(
            title="Open connections by pod",
            unit=Unit.COUNT,
            jobs=JOBS,
            queries=[Query(expr=f"max({api.open_connections}{OF_API}) by (pod)", legend="{{pod}}")],
            description="One pod with many more than the others may not return them.",
        ),
    ]


def _pool() -> list[Panel]:
    return [
        Panel(
            title="Use of connections",
            unit=Unit.COUNT,
            jobs=JOBS,
            queries=[
                Query(expr=f"sum({PREFIX}{name}{OF_API})", legend=legend)
                for name, legend in {"in_use_connections": "in use", "idle_connections": "idle"}.items()
            ],
            description="If all are in use for long, queries are slow, or a transaction is not completed.",
        ),
        Panel(
            title="Requests that wait for a connection",
            unit=Unit.PER_SECOND,
            jobs=JOBS,
            queries=[Query(expr=f"sum(rate({PREFIX}wait_count_total{OF_API}[{WINDOW}])) by (pod)", legend="{{pod}}")],
            description="Above zero, the pool of the pod is too small for its load.",
        ),
        Panel(
            title="Time spent waiting for a connection",
            unit=Unit.SECONDS,
            jobs=JOBS,
            queries=[
                Query(
                    expr=f"sum(rate({PREFIX}wait_duration_seconds_total{OF_API}[{WINDOW}])) by (pod)",
                    legend="{{pod}}",
                )
            ],
            description="Seconds per second, of all requests of the pod together.",
        ),
        Panel(
            title="Closed connections",
            unit=Unit.PER_SECOND,
            jobs=JOBS,
            queries=[
                Query(expr=f"sum(rate({PREFIX}{name}_closed_total{OF_API}[{WINDOW}]))", legend=legend)
                for name, legend in {
                    "max_idle": "too many idle ones",
                    "max_idle_time": "idle for too long",
                    "max_lifetime": "too old",
                }.items()
            ],
            description="Each is opened again later, which takes several round trips.",
        ),
    ]
