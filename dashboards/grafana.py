"""Renders a dashboard for Grafana, with its Python foundation SDK.

The dashboards are for a data source of the type Prometheus that VictoriaMetrics serves, and for any number of clusters.
"""

import json
from collections.abc import Mapping

from grafana_foundation_sdk.builders import common, prometheus, timeseries
from grafana_foundation_sdk.builders import dashboard as grafana
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
    VariableSort,
)
from pydantic import JsonValue

from dashboards.model import Dashboard, Line, Panel
from dashboards.promql import restricted
from infra.names import NAMESPACE
from infra.settings.grafana import RELEASE_TAG

Json = Mapping[str, JsonValue]

TAG = "honeydue"
"""The tag of all dashboards, by which each links to the others."""
CLUSTER = 'cluster="$cluster"'
METRICS = DataSourceRef(type_val="prometheus", uid="${datasource}")
ANNOTATIONS = DataSourceRef(type_val="grafana", uid="-- Grafana --")
PANEL_WIDTH, PANEL_HEIGHT = 12, 8
"""Two columns of Grafana's 24."""
IMAGES = f'kube_pod_container_info{{namespace="{NAMESPACE}"}}'
NEW_IMAGES = f"count({IMAGES}) by (container, image_spec) unless on (container, image_spec) {IMAGES} offset 5m"
"""The images of which no pod existed five minutes ago."""
REF_IDS = "ABCDEFGHIJ"


def render(dashboard: Dashboard) -> Json:
    """The dashboard's JSON, without an `id` and a `version`, which Grafana assigns."""
    builder = (
        grafana.Dashboard(dashboard.title)
        .uid(dashboard.uid)
        .description(dashboard.description)
        .tags([TAG])
        .timezone("browser")
        .time("now-6h", "now")
        .refresh("1m")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(grafana.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(
            grafana.QueryVariable("cluster")
            .label("Cluster")
            .datasource(METRICS)
            .query("label_values(up, cluster)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(VariableSort.ALPHABETICAL_ASC)
        )
        .link(grafana.DashboardLink("Dashboards").tags([TAG]).as_dropdown(True).include_vars(True).keep_time(True))
        .annotation(_tagged_releases())
        .annotation(_new_images())
    )
    for number, panel in enumerate(dashboard.panels, start=1):
        builder = builder.with_panel(_panel(number, panel))
    content: dict[str, JsonValue] = json.loads(json.dumps(builder.build(), cls=JSONEncoder))
    return content


def _tagged_releases() -> grafana.AnnotationQuery:
    target = grafana.AnnotationTarget().limit(100).match_any(False).tags([RELEASE_TAG, "$cluster"]).type("tags")
    return (
        grafana.AnnotationQuery()
        .name("Releases")
        .datasource(ANNOTATIONS)
        .enable(True)
        .icon_color("blue")
        .target(target)
    )


def _new_images() -> grafana.AnnotationQuery:
    """From the images of pods, so that every release is shown, also one that was not made with `make release`."""
    return (
        grafana.AnnotationQuery()
        .name("New images")
        .datasource(METRICS)
        .enable(True)
        .icon_color("purple")
        .expr(restricted(NEW_IMAGES, CLUSTER))
    )


def _panel(number: int, panel: Panel) -> timeseries.Panel:
    builder = (
        timeseries.Panel()
        .id(number)
        .title(panel.title)
        .description(_description(panel))
        .datasource(METRICS)
        .unit(panel.unit.grafana)
        .min(0)
        .span(PANEL_WIDTH)
        .height(PANEL_HEIGHT)
        .show_points(VisibilityMode.NEVER)
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    if panel.line:
        builder = (
            builder.thresholds(_thresholds(panel.line))
            .thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
            # The line is visible even if all values are far below it.
            .axis_soft_max(panel.line.value)
        )
    for ref_id, query in zip(REF_IDS, panel.queries, strict=False):
        builder = builder.with_target(
            prometheus.Dataquery()
            .ref_id(ref_id)
            .datasource(METRICS)
            .expr(restricted(query.expr, CLUSTER))
            .legend_format(query.legend)
            .range()
        )
    return builder


def _description(panel: Panel) -> str:
    return (
        f"{panel.description} The dashed line is the threshold of {panel.line.alert}."
        if panel.line
        else panel.description
    )


def _thresholds(line: Line) -> grafana.ThresholdsConfig:
    return (
        grafana.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(color="transparent", value=None), Threshold(color="red", value=line.value)])
    )
