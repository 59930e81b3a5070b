"""The monthly cost after a plan, and the cost before it if that differs."""

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
CURRENT_COST = {"total": 25.47, "currency": "EUR", "asOf": "2026-04-24"}


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


def plan(*servers: dict[str, Any], before: Mapping[str, object] | None = CURRENT_COST, **more: Any) -> Plan:
    state = {"urn": f"urn:pulumi:prod::honeydue::{STACK}::honeydue-prod", "type": STACK}
    root = {"op": "same", "urn": state["urn"], "newState": state}
    if before is not None:
        root["oldState"] = state | {"outputs": {"monthlyCost": before}}
    prices = json.dumps(example_settings()["honeydue:prices"])
    return Plan.model_validate({"config": {"honeydue:prices": prices}, "steps": [root, *servers], **more})


THREE = [server("same", f"hetzner{number}") for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("planned", "expected"),
    [
        (plan(*THREE), "EUR 25.47 (prices of 2026-04-24)"),
        (plan(*THREE, before=None), "EUR 25.47 (prices of 2026-04-24)"),
        (plan(*THREE, server("create", "hetzner4")), "EUR 25.47 → EUR 32.46 (prices of 2026-04-24)"),
        (plan(*THREE[:2], server("delete", "hetzner3")), "EUR 25.47 → EUR 18.48 (prices of 2026-04-24)"),
        # The engine reports a replacement as three steps of the same server.
        (
            plan(*THREE[:2], *(server(op, "hetzner3") for op in ("create-replacement", "replace", "delete-replaced"))),
            "EUR 25.47 (prices of 2026-04-24)",
        ),
        (
            plan(*THREE, before=CURRENT_COST | {"total": 23.1, "asOf": "2026-01-01"}),
            "EUR 23.10 → EUR 25.47 (prices of 2026-04-24)",
        ),
    ],
)
def test_a_plan_has_a_monthly_cost(planned: Plan, expected: str) -> None:
    assert cost(planned) == expected
    console = Console(width=200)
    with console.capture() as printed:
        console.print(changes(planned))
    assert f"Monthly cost: {expected}" in printed.get()


def test_an_incomplete_plan_has_no_cost() -> None:
    broken = plan(diagnostics=[{"message": "x", "severity": "error"}])
    assert cost(broken) == ""
    console = Console(width=200)
    with console.capture() as printed:
        console.print(changes(broken))
    assert "cost" not in printed.get()


def test_the_cost_is_that_of_the_stack_output(example: Capture) -> None:
    servers = [server("same", resource.name, resource.inputs["serverType"]) for resource in example.resources("Server")]
    assert example.outputs["monthlyCost"] == CURRENT_COST
    assert cost(plan(*servers, before=None)) == "EUR 25.47 (prices of 2026-04-24)"
