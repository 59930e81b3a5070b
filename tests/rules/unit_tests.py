"""The unit tests of the alert rules, in the format of vmalert-tool.

`tests/rules/NAME.yaml` contains the tests of the rule NAME. Each of them has the series that arrive, a value per minute
or per `interval`, and the alerts that fire at some times: their labels, and their summary. The labels that the program
adds are added here too.
"""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from infra.monitoring.rules import Rule, alert_rules, rules_file
from infra.monitoring.rules.model import RUNBOOK
from infra.settings.schema import Settings
from tools.cache import executable

FOLDER = Path(__file__).parent
CLUSTER = "example.com"
JANUARY_2000 = 946_684_800
"""The time at which vmalert-tool starts each test, in seconds since 1970."""
DAY = 86_400
EXPIRY = JANUARY_2000 + 31 * DAY


def rules(settings: Settings) -> Sequence[Rule]:
    """The rules of these settings, with credentials that expire 31 days after the start of each test."""
    return alert_rules(settings, origin_certificate_expiry=EXPIRY)


def cases(rule: Rule) -> Sequence[Mapping[str, Any]]:
    """The tests of a rule. Empty if it has none."""
    file = FOLDER / f"{rule.name}.yaml"
    content: Sequence[Mapping[str, Any]] = yaml.safe_load(file.read_text()) if file.exists() else []
    for series, values in ((series, values) for case in content for series, values in case["input"].items()):
        assert isinstance(values, str), f"{file.name}: put quotes around the values of {series}; YAML reads a number"
    return content


def document(rule: Rule, tests: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The file with these tests of a rule, next to a file with only this rule."""
    return {
        "rule_files": [f"{rule.name}.rules"],
        "evaluation_interval": f"{rule.interval_seconds}s",
        "tests": [_test(rule, test) for test in tests],
    }


def _test(rule: Rule, test: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "interval": test.get("interval", "1m"),
        "input_series": [{"series": _of_cluster(series), "values": values} for series, values in test["input"].items()],
        "alert_rule_test": [
            {
                "eval_time": time,
                "groupname": f"every-{rule.interval_seconds}s",
                "alertname": rule.name,
                "exp_alerts": [_alert(rule, alert) for alert in alerts],
            }
            for time, alerts in test["alerts"].items()
        ],
    }


def _of_cluster(series: str) -> str:
    """The series with the label that vmagent adds to each."""
    name, _, labels = series.rstrip("}").partition("{")
    return f'{name}{{{labels}{"," if labels else ""}cluster="{CLUSTER}"}}'


def _alert(rule: Rule, alert: Mapping[str, str]) -> Mapping[str, Any]:
    labels = {name: value for name, value in alert.items() if name != "summary"}
    annotations = {**rule.annotations(RUNBOOK), "summary": alert["summary"]}
    return {"exp_labels": {**labels, **rule.labels()}, "exp_annotations": annotations}


def run(folder: Path, tests: Mapping[Rule, Sequence[Mapping[str, Any]]]) -> str:
    """Runs tests in one process of vmalert-tool. Returns the failures, which are empty if there are none."""
    for rule, of_rule in tests.items():
        (folder / f"{rule.name}.rules").write_text(rules_file([rule], cluster=CLUSTER))
        (folder / f"{rule.name}.yaml").write_text(yaml.safe_dump(document(rule, of_rule)))
    command = [str(executable("vmalert-tool")), "unittest", "--files", str(folder / "*.yaml")]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    return completed.stdout + completed.stderr if completed.returncode else ""
