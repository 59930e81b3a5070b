"""Renders dashboards for vmui, the user interface in VictoriaMetrics, without Grafana.

VictoriaMetrics reads a folder of files (`-vmui.customDashboardsPath`; app/vmselect/vmui.go in its repository). They
have no variables, thresholds and annotations, and show the series of all clusters.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from dashboards.model import Dashboard, Panel

Json = Mapping[str, JsonValue]

PANEL_WIDTH = 6
"""Two columns of vmui's 12."""


def render(dashboard: Dashboard) -> Json:
    """The dashboard's JSON. It has one row, because vmui collapses all but the first."""
    return {
        "title": dashboard.title,
        "rows": [{"title": dashboard.description, "panels": [_panel(panel) for panel in dashboard.panels]}],
    }


def _panel(panel: Panel) -> dict[str, JsonValue]:
    """The panel. The threshold of an alert is a query with a constant value."""
    lines = [f"alert {panel.line.alert}"] if panel.line else []
    return {
        "title": panel.title,
        "description": panel.description,
        "unit": panel.unit.suffix,
        "expr": [*_expressions(panel)],
        "alias": [*(query.legend for query in panel.queries), *lines],
        "width": PANEL_WIDTH,
    }


def _expressions(panel: Panel) -> Iterator[str]:
    conversion = panel.unit.conversion
    for query in panel.queries:
        yield f"({query.expr}){conversion}" if conversion else query.expr
    if panel.line:
        yield f"{panel.line.value:g}{conversion}"


def expressions(dashboard: Dashboard) -> Sequence[str]:
    """All expressions that vmui evaluates."""
    return [expression for panel in dashboard.panels for expression in _expressions(panel)]


def write(dashboards: Sequence[Dashboard], folder: Path) -> None:
    """Writes one file for each dashboard, in the order of vmui's tabs. Removes other files of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.json"):
        file.unlink()
    for number, dashboard in enumerate(dashboards, start=1):
        (folder / file_name(number, dashboard)).write_text(json.dumps(render(dashboard), indent=2) + "\n")


def file_name(number: int, dashboard: Dashboard) -> str:
    """vmui shows the files in the order of their names."""
    return f"{number}-{dashboard.uid}.json"
