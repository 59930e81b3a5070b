"""A dashboard and its panels, independent of the program that shows them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import Enum


class Unit(Enum):
    """The unit of a panel: its id in Grafana, and for vmui, which only adds a suffix, a conversion and the suffix."""

    BYTES = ("bytes", " / 2^20", "MiB")
    BYTES_PER_SECOND = ("binBps", " / 2^10", "KiB/s")
    COUNT = ("short", "", "")
    DAYS = ("d", "", "d")
    PER_SECOND = ("cps", "", "/s")
    RATIO = ("percentunit", " * 100", "%")
    REQUESTS_PER_SECOND = ("reqps", "", "/s")
    SECONDS = ("s", "", "s")

    def __init__(self, grafana: str, conversion: str, suffix: str) -> None:
        self.grafana = grafana
        self.conversion = conversion
        self.suffix = suffix


@dataclass(frozen=True, kw_only=True)
class Query:
    """A PromQL expression. `{{label}}` in the legend is the value of a label."""

    expr: str
    legend: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """The threshold of an alert, as a horizontal line."""

    value: float
    alert: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One graph.

    Attributes:
        jobs: the scrape jobs that deliver the series of the queries. Without one of them, there is no panel.
        description: what the graph shows, and what to conclude from it.
    """

    title: str
    unit: Unit
    jobs: Sequence[str]
    queries: Sequence[Query]
    description: str
    line: Line | None = None


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """`uid` identifies the dashboard in Grafana and is the name of its files. It never changes."""

    uid: str
    title: str
    description: str
    panels: Sequence[Panel]

    def with_jobs(self, jobs: Collection[str]) -> "Dashboard":
        """The dashboard with the panels that these scrape jobs deliver."""
        return replace(self, panels=[panel for panel in self.panels if set(panel.jobs) <= set(jobs)])
