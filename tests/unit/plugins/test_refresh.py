"""A refresh of the simulated plugins returns the recorded inputs of the real plugins (`recorded/refreshes.json`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.clouds.store import Object
from rehearsal.plugins.catalog import provider
from rehearsal.plugins.refresh import refreshed_inputs
from tests.unit.clouds.api import edit
from tests.unit.plugins.engine import Engine, Inputs, Resource

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "refreshes.json").read_text())
FIREWALL = "hcloud:index/firewall:Firewall"


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["case"])
def test_the_inputs_are_derived_from_the_outputs_as_the_bridge_derives_them(case: dict[str, Any]) -> None:
    package = provider(case["type"].partition(":")[0], lambda: pytest.fail("a refresh of inputs sends no request"))
    assert refreshed_inputs(package.kinds[case["type"]], case["prior"], case["outputs"]) == case["inputs"]


def _rules(recorded: str) -> tuple[Inputs, Inputs]:
    """Refreshed inputs and outputs of a firewall, without the values that the vendor chooses."""
    (case,) = (case for case in RECORDED if case["case"] == recorded)
    return case["inputs"], {"rules": case["outputs"]["rules"]}


def _add_rule(firewall: Object) -> None:
    rule = {"direction": "in", "protocol": "tcp", "port": "5432", "source_ips": ["0.0.0.0/0"]}
    firewall["rules"].append({**rule, "destination_ips": [], "description": None})


def _open_https(firewall: Object) -> None:
    (https,) = (rule for rule in firewall["rules"] if rule["port"] == "443")
    https["source_ips"].append("0.0.0.0/0")


@pytest.mark.parametrize(
    ("recorded", "change"),
    [
        ("firewall unchanged", lambda _: None),
        ("firewall: a rule without description", _add_rule),
        ("firewall: 443 open to the world", _open_https),
    ],
)
def test_a_refreshed_firewall_has_the_recorded_inputs_and_outputs(
    tmp_path: Path, recorded: str, change: Callable[[Object], None]
) -> None:
    hcloud = Engine("hcloud", tmp_path)
    firewall = hcloud.create(FIREWALL, _rules("firewall unchanged")[0])
    edit(tmp_path, "hetzner", "firewalls", firewall.id, change)
    refreshed = hcloud.read(firewall)
    assert refreshed is not None
    inputs, outputs = _rules(recorded)
    assert refreshed.inputs == inputs
    assert {"rules": refreshed.outputs["rules"]} == outputs


# The simulated plugins do not name the fields of an attachment to a network, and no time of a comment's change.
OTHER_NAMES = ("server: alias ip", "record: comment")


@pytest.mark.parametrize(
    "case", [case for case in RECORDED if case["case"] not in OTHER_NAMES], ids=lambda case: case["case"]
)
def test_a_diff_after_a_refresh_names_the_recorded_properties(tmp_path: Path, case: dict[str, Any]) -> None:
    engine = Engine(case["type"].partition(":")[0], tmp_path)
    diff = engine.diff(Resource(case["type"], "1", case["inputs"], case["outputs"]), case["declared"])
    assert list(diff.diffs) == case["names"]
    kinds = provider_pb2.PropertyDiff.Kind
    assert {path: kinds.Name(detail.kind) for path, detail in diff.detailedDiff.items()} == case["paths"]
