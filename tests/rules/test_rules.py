"""Every alert rule fires when it should, does not fire just before, and has a section of the runbook."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.monitoring.rules import Rule
from infra.monitoring.rules.model import RUNBOOK, anchor
from infra.settings.types import seconds
from tests.recipes import ROOT
from tests.rules.unit_tests import FOLDER, cases, rules, run
from tests.unit.flips import example
from tests.unit.placeholders import OPTIONAL_SETTINGS
from tests.unit.test_links import anchors

METRICS = {"url": "https://obs.example.com", "username": "cluster"}
MONITORING: dict[str, Any] = {
    "monitoring": {**METRICS, "alerts": {"heartbeat": True}},
    "logs": {"url": "https://logs.example.com", "username": "cluster"},
    "backups": OPTIONAL_SETTINGS["honeydue:backups"],
}
RULES = rules(example(MONITORING))
"""All rules, with the example settings."""


def test_the_tests_of_all_rules_pass(tmp_path: Path) -> None:
    assert run(tmp_path, {rule: cases(rule) for rule in RULES}) == ""


def test_every_rule_has_tests_in_which_it_fires_and_does_not() -> None:
    for rule in RULES:
        numbers = [len(alerts) for case in cases(rule) for alerts in case["alerts"].values()]
        assert max(numbers, default=0) > 0, f"{rule.name} fires in no test of tests/rules/{rule.name}.yaml"
        assert min(numbers) == 0 or rule.name == "Watchdog", f"{rule.name} fires in all tests"


def test_every_file_of_tests_belongs_to_a_rule() -> None:
    assert {file.stem for file in FOLDER.glob("*.yaml")} == {rule.name for rule in RULES}


def test_a_wrong_expectation_fails(tmp_path: Path) -> None:
    (rule,) = [rule for rule in RULES if rule.name == "NodeDown"]
    (first, *_) = cases(rule)
    assert "alertname: NodeDown" in run(tmp_path, {rule: [{**first, "alerts": {"12m": []}}]})


def test_a_rule_that_does_not_parse_fails(tmp_path: Path) -> None:
    broken = replace(RULES[0], expr="max(up by (node)")
    assert "invalid expression" in run(tmp_path, {broken: cases(broken)})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_is_complete(rule: Rule) -> None:
    assert anchor(rule.runbook) in anchors(ROOT / RUNBOOK)
    for metric in (*rule.series, *rule.events):
        assert re.search(rf"\b{metric}\b", rule.expr), f"{metric} is not in the expression"
    assert seconds(rule.for_) % rule.interval_seconds == 0
    assert rule.keep_firing_for is None or seconds(rule.keep_firing_for) >= rule.interval_seconds
    # After the alert of the node, so that it is inhibited from the beginning, also if the node comes back.
    assert rule.follows is None or seconds(rule.for_) >= 180


def test_every_metric_of_an_expression_is_named() -> None:
    """So that `make status` can report which rules cannot fire."""
    for rule in RULES:
        # Without the values of labels, and the labels after `by` and `on`.
        selectors = re.sub(r'"[^"]*"|\b(by|on) \([^)]*\)', "", rule.expr)
        words = set(re.findall(r"\b[a-z_]+_[a-z_]+\b(?! *[(=])", selectors))
        assert words <= {*rule.series, *rule.events}, rule.name


def test_the_page_lists_every_rule() -> None:
    page = (ROOT / "docs/monitoring.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| [^|]+ \| (\w+) \| ([^|]+) \|$", page, re.M)
    assert rows == [(rule.name, rule.severity, rule.for_, ", ".join(rule.exporters)) for rule in RULES]


def test_names_are_unique() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_the_watchdog_does_not_depend_on_a_heartbeat() -> None:
    """`make status` needs it as well."""
    without = {"monitoring": {**METRICS, "alerts": {"heartbeat": False}}}
    assert "Watchdog" in {rule.name for rule in rules(example(without))}
