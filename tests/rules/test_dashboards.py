"""VictoriaMetrics parses every query of the dashboards, in the form of Grafana and in that of vmui."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import yaml

from dashboards import dashboards, vmui
from dashboards.grafana import CLUSTER, NEW_IMAGES
from dashboards.promql import restricted
from tests.unit.dashboard_files import monitored
from tools.cache import executable


def parse(folder: Path, expressions: Sequence[str]) -> str:
    """The error of vmalert-tool about a file of rules with these expressions. Empty if there is none."""
    rules = [{"record": f"query_{number}", "expr": expression} for number, expression in enumerate(expressions)]
    (folder / "rules").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    (folder / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules"], "tests": [{"interval": "1m"}]}))
    command = [str(executable("vmalert-tool")), "unittest", "--files", str(folder / "tests.yaml")]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    return completed.stdout + completed.stderr if completed.returncode else ""


def test_every_query_is_valid(tmp_path: Path) -> None:
    every = dashboards(monitored())
    queries = [query.expr for dashboard in every for panel in dashboard.panels for query in panel.queries]
    in_grafana = [restricted(expression, CLUSTER) for expression in (*queries, NEW_IMAGES)]
    in_vmui = [expression for dashboard in every for expression in vmui.expressions(dashboard)]
    assert len(in_vmui) > len(queries) > 50
    assert parse(tmp_path, [*in_grafana, *in_vmui]) == ""


def test_an_invalid_query_is_an_error(tmp_path: Path) -> None:
    assert "sum(up" in parse(tmp_path, ["sum(up"])
