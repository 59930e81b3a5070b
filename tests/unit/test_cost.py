"""The cost that a plan is shown with: of what will be, and of what was where that differs."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from rich.console import Console

from ops.cost import cost
from ops.guardrails.summary import changes
from ops.plan import Plan
from tests.unit.capture import Capture, example_settings

STACK = "pulumi:pulumi:Stack"
SERVER = "hcloud:index/server:Server"
AS_TODAY = {"total": 25.47, "currency": "EUR", "asOf": "2026-04-24"}


def server(op: str, name: str, type_: str = "cx33") -> dict[str, Any]:
    state = {
        "urn": f"urn:pulumi:prod::honeydue::{SERVER}::{name}",
        "type": SERVER,
        "custom": True,
        "inputs": {"serverType": type_},
    }
    return {
        "op": op,
        "urn": state["urn"],
        "oldState": None if op == "create" else state,
        "newState": None if op == "delete" else state,
    }


def plan(*servers: dict[str, Any], before: Mapping[str, object] | None = AS_TODAY, **more: Any) -> Plan:
    state = {"urn": f"urn:pulumi:prod::honeydue::{STACK}::honeydue-prod", "type": STACK}
    root = {"op": "same", "urn": state["urn"], "newState": state}
    if before is not None:
        root["oldState"] = state | {"outputs": {"monthlyCost": before}}
    prices = json.dumps(example_settings()["honeydue:prices"])
    return Plan.model_validate({"config": {"honeydue:prices": prices}, "steps": [root, *servers], **more})


THREE = [server("same", f"hetzner{number}") for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (plan(*THREE), "EUR 25.47 (prices of 2026-04-24)"),
        (plan(*THREE, before=None), "EUR 25.47 (prices of 2026-04-24)"),
        (plan(*THREE, server("create", "hetzner4")), "EUR 25.47 → EUR 32.46 (prices of 2026-04-24)"),
        (plan(*THREE[:2], server("delete", "hetzner3")), "EUR 25.47 → EUR 18.48 (prices of 2026-04-24)"),
        # As the engine tells a replacement: three steps of one server.
        (
            plan(*THREE[:2], *(server(op, "hetzner3") for op in ("create-replacement", "replace", "delete-replaced"))),
            "EUR 25.47 (prices of 2026-04-24)",
        ),
        (
            plan(*THREE, before=AS_TODAY | {"total": 23.1, "asOf": "2026-01-01"}),
            "EUR 23.10 → EUR 25.47 (prices of 2026-04-24)",
        ),
    ],
)
def test_a_plan_tells_what_a_month_costs(found: Plan, expected: str) -> None:
    assert cost(found) == expected
    console = Console(width=200)
    with console.capture() as said:
        console.print(changes(found))
    assert f"Monthly cost: {expected}" in said.get()


def test_a_plan_that_was_not_made_to_its_end_tells_no_cost() -> None:
    broken = plan(diagnostics=[{"message": "x", "severity": "error"}])
    assert cost(broken) == ""
    console = Console(width=200)
    with console.capture() as said:
        console.print(changes(broken))
    assert "cost" not in said.get()


def test_it_is_the_cost_that_the_program_puts_out(example: Capture) -> None:
    servers = [server("same", one.name, one.inputs["serverType"]) for one in example.resources("Server")]
    assert example.outputs["monthlyCost"] == AS_TODAY
    assert cost(plan(*servers, before=None)) == "EUR 25.47 (prices of 2026-04-24)"
