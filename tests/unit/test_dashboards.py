"""The dashboards: their queries, their two formats, and the generated files."""

import re
from pathlib import Path
from typing import Any

import pytest

from dashboards import Dashboard, Panel, dashboards, grafana, vmui
from dashboards.promql import metric_names, restricted, selectors
from infra.monitoring.rules import Rule, scrape_jobs
from infra.monitoring.series import METRICS, metrics_pattern
from tests.rules.unit_tests import rules
from tests.unit.dashboard_files import GENERATED, MONITORED, monitored, write
from tests.unit.flips import example

DASHBOARDS = dashboards(monitored())
PANELS = [panel for dashboard in DASHBOARDS for panel in dashboard.panels]
RULES = {rule.name: rule for rule in rules(monitored())}
WRITTEN_BY_VMALERT = {"ALERTS"}


def files(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*.json")}


def in_grafana(dashboard: Dashboard) -> dict[str, Any]:
    return dict(grafana.render(dashboard))


def test_the_generated_files_are_up_to_date(tmp_path: Path) -> None:
    write(tmp_path)
    assert files(GENERATED) == files(tmp_path), "run make dashboard-files, and review dashboards/generated/"


def test_there_is_a_dashboard_of_each_part() -> None:
    assert [dashboard.uid for dashboard in DASHBOARDS] == [
        f"honeydue-{name}" for name in ("cluster", "api", "traefik", "redis", "database")
    ]
    assert {job for panel in PANELS for job in panel.jobs} <= {*scrape_jobs(monitored())}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_vmagent_sends_every_metric_of_a_panel(panel: Panel) -> None:
    """Metrics of api are not known. Only those of its connections are used, the first of which is a setting."""
    names = {name for query in panel.queries for name in metric_names(query.expr)} - WRITTEN_BY_VMALERT
    patterns = [metrics_pattern(job) for job in panel.jobs if job in METRICS]
    unknown = {name for name in names if not any(re.fullmatch(pattern, name) for pattern in patterns)}
    assert {name for name in unknown if panel.jobs != ["api"] or not name.startswith("go_sql_")} == set()
    assert names or panel.jobs == ["vmalert"]


@pytest.mark.parametrize("panel", [panel for panel in PANELS if panel.line], ids=lambda panel: panel.title)
def test_a_line_is_the_threshold_of_the_alert(panel: Panel) -> None:
    assert panel.line is not None
    rule: Rule = RULES[panel.line.alert]
    thresholds = [float(number) for number in re.findall(r"(?:>=?|<) ([\d.]+)", rule.expr)]
    assert panel.line.value in thresholds
    names = {name for query in panel.queries for name in metric_names(query.expr)}
    assert names & {*rule.series, *rule.events}


def test_alerts_that_a_text_names_exist() -> None:
    texts = " ".join(panel.description for panel in PANELS)
    named = set(re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", texts)) - {"CoreDNS"}
    assert len(named) > 2
    assert named <= RULES.keys()


def test_titles_are_unique_in_a_dashboard_and_each_panel_has_a_reason() -> None:
    for dashboard in DASHBOARDS:
        titles = [panel.title for panel in dashboard.panels]
        assert len(titles) == len(set(titles))
    assert all(panel.description.endswith(".") and panel.queries for panel in PANELS)


def test_every_selector_in_grafana_has_the_label_of_the_cluster() -> None:
    for dashboard in DASHBOARDS:
        content = in_grafana(dashboard)
        expressions = [target["expr"] for panel in content["panels"] for target in panel["targets"]]
        expressions += [item["expr"] for item in content["annotations"]["list"] if "expr" in item]
        assert len(expressions) == 1 + sum(len(panel.queries) for panel in dashboard.panels)
        for expression in expressions:
            for selector in selectors(expression):
                matchers = [str(matcher.value) for matcher in selector.matchers.matchers if matcher.name == "cluster"]
                assert matchers == ["$cluster"], expression


def test_grafana_has_variables_annotations_of_releases_and_thresholds() -> None:
    content = in_grafana(DASHBOARDS[1])
    assert [variable["name"] for variable in content["templating"]["list"]] == ["datasource", "cluster"]
    tagged, images = content["annotations"]["list"]
    assert tagged["target"]["tags"] == ["release", "$cluster"]
    assert "kube_pod_container_info" in images["expr"]
    by_title = {panel["title"]: panel for panel in content["panels"]}
    assert by_title["Errors"]["fieldConfig"]["defaults"]["thresholds"]["steps"][1]["value"] == 0.05
    assert "thresholds" not in by_title["Requests"]["fieldConfig"]["defaults"]
    positions = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in content["panels"]}
    assert len(positions) == len(content["panels"])
    assert "id" not in content
    assert "version" not in content


def test_vmui_converts_units_and_draws_thresholds() -> None:
    content: Any = vmui.render(DASHBOARDS[1])
    (row,) = content["rows"]
    errors = next(panel for panel in row["panels"] if panel["title"] == "Errors")
    assert errors["unit"] == "%"
    assert [len(errors["expr"]), errors["expr"][1], errors["alias"][1]] == [2, "0.05 * 100", "alert RequestsFail"]
    assert errors["expr"][0].endswith(") * 100")
    for panel in row["panels"]:
        assert len(panel["expr"]) == len(panel["alias"])


def test_files_of_another_dashboard_are_removed(tmp_path: Path) -> None:
    vmui.write(DASHBOARDS, tmp_path)
    vmui.write(DASHBOARDS[:2], tmp_path)
    assert sorted(files(tmp_path)) == ["1-honeydue-cluster.json", "2-honeydue-api.json"]


def test_the_metric_of_open_connections_is_a_setting() -> None:
    database = dashboards(example({**MONITORED, "monitoring.api.openConnections": "pgxpool_total_conns"}))[-1]
    assert {name for panel in database.panels for query in panel.queries for name in metric_names(query.expr)} == {
        "pgxpool_total_conns"
    }


def test_a_part_that_is_off_has_no_panels() -> None:
    off = dashboards(example({**MONITORED, "monitoring.redisExporter": False, "monitoring.api": False}))
    assert [dashboard.uid for dashboard in off] == ["honeydue-cluster", "honeydue-api", "honeydue-traefik"]
    assert dashboards(example()) == []


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("up", 'up{cluster="a"}'),
        ('rate(up{job="}"}[5m] offset 1h)', 'rate(up{cluster="a",job="}"}[5m] offset 1h)'),
        ("max(up) by (job) / on (job) down > 1", 'max by (job) (up{cluster="a"}) / on (job) down{cluster="a"} > 1'),
        ("vector(0)", "vector(0)"),
    ],
)
def test_a_matcher_is_added_to_every_selector(expression: str, expected: str) -> None:
    assert restricted(expression, 'cluster="a"') == expected
