"""`make drift`: what a console chose since the last `up`, in refreshes that were recorded with the real plugins."""

import re
from typing import Any

import pytest
from pydantic import JsonValue

from ops.drift.choices import changed_choices, record_instructions
from ops.drift.rows import DriftRow, drift_rows
from ops.plan import Plan, State
from tests.unit.plans import plan, state, urn
from tests.unit.test_drift_refreshed import CASES

UNCHANGED = {"server": "server unchanged", "record": "record unchanged"}
HAND = ("labels.by", None, "hand")
CHANGED = ("labels.cluster", "honeydue", "other")
NETWORK = {"ip": "10.0.1.2", "subnetId": "1009-10.0.1.0/24"}


def refreshed_plan(case: dict[str, Any]) -> Plan:
    """The plan of a program that ignores the change, so that nothing is left to do."""
    kind = case["type"]
    inputs = {"inputs": case["inputs"], "outputs": case["outputs"]}
    return plan(
        {
            "op": "same",
            "urn": urn(kind, "example"),
            "oldState": state(kind, "example", **inputs),
            "newState": state(kind, "example", **inputs),
        }
    )


def recorded(case: dict[str, Any]) -> list[State]:
    """The state before the change."""
    unchanged = UNCHANGED.get(re.split("[: ]", case["case"])[0])
    outputs = CASES[unchanged]["outputs"] if unchanged else {**case["outputs"], "labels": case["prior"]["labels"]}
    return [State.model_validate(state(case["type"], "example", inputs=case["prior"], outputs=outputs))]


def rows(case: dict[str, Any]) -> list[tuple[str, JsonValue, JsonValue]]:
    changed = changed_choices(refreshed_plan(case), recorded(case), [])
    return [(row.property, row.declared, row.actual) for row in changed]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("server: backups on", [("backups", None, True)]),
        ("server: detached", [("networks", NETWORK, None)]),
        ("server: alias ip", [("networks", NETWORK, None), ("networks", None, {"aliasIps": ["10.0.1.77"], **NETWORK})]),
        ("record: comment", [("comment", "by the program", "by hand")]),
        ("record: tags", [("tags", None, ["owner:dave", "team:ops"])]),
        *((f"{name}: label added", [HAND]) for name in ("server", "address", "key", "group", "network")),
        *((f"{name}: label changed", [CHANGED]) for name in ("server", "address", "key", "group", "network")),
    ],
)
def test_a_choice_of_a_console_is_named_although_the_plan_is_empty(case: str, expected: list[Any]) -> None:
    assert list(drift_rows(refreshed_plan(CASES[case]), [])) == []
    assert rows(CASES[case]) == expected


@pytest.mark.parametrize(
    "case", [*UNCHANGED.values(), "server: powered off", "record: proxied", "server: second firewall"]
)
def test_other_changes_and_none_are_no_choice(case: str) -> None:
    assert rows(CASES[case]) == []


def test_a_choice_that_the_state_contains_is_no_drift() -> None:
    case = CASES["server: label added"]
    states = [State.model_validate(state(case["type"], "example", outputs=case["outputs"]))]
    assert list(changed_choices(refreshed_plan(case), states, [])) == []


def test_a_property_that_the_program_restores_has_one_row() -> None:
    case = CASES["server: label added"]
    reported = [DriftRow(resource="Server::example", property="labels.by", actual="hand")]
    assert list(changed_choices(refreshed_plan(case), recorded(case), reported)) == []


def test_a_resource_that_is_missing_or_new_has_no_choices() -> None:
    case = CASES["server: label added"]
    created = {"op": "create", "urn": urn(case["type"], "example"), "newState": state(case["type"], "example")}
    assert list(changed_choices(plan(created), recorded(case), [])) == []
    assert list(changed_choices(refreshed_plan(case), [], [])) == []


def test_the_report_says_how_a_choice_is_recorded() -> None:
    case = CASES["server: backups on"]
    (instruction,) = record_instructions(list(changed_choices(refreshed_plan(case), recorded(case), [])))
    assert "after the last up: Server::example backups. make up REFRESH=1 keeps" in instruction
    assert record_instructions([]) == []
