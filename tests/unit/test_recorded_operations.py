"""What reads the paths of changed properties accepts those that the real plugins send (`recorded/operations.jsonl`).

Each line is an operation of the real engine with the plugins of `tests/recorded_requests/`. A change such as
"rules[1]:add" is a path of a detailed diff, a plain name is one of the names that replace it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ops.ci import markdown
from ops.engine.sentinels import UNKNOWN
from ops.guardrails.rules import check
from ops.guardrails.summary import changed_properties
from ops.plan import Plan, Step, short_name
from tests.unit.capture import Capture
from tests.unit.registrations import masked

RECORDED = Path(__file__).parent / "recorded" / "operations.jsonl"
NODE = "hetzner4"
IMPORTED = {"assigneeId": 12, "assigneeType": "server"}
"""Inputs of an imported primary IP that the program does not set. The provider then chooses them."""


@cache
def operations() -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The operations of each scenario."""
    scenarios: dict[str, list[Mapping[str, Any]]] = {}
    for line in RECORDED.read_text().splitlines():
        operation = json.loads(line)
        scenarios.setdefault(operation["scenario"], []).append(operation)
    return scenarios


def recorded_plan(scenario: str, program: Capture) -> Plan:
    """The plan of a scenario. States have the inputs with which the program declares the resource."""
    return Plan.model_validate({"steps": list(_steps(operations()[scenario], program))})


def _steps(recorded: Sequence[Mapping[str, Any]], program: Capture) -> Iterator[dict[str, Any]]:
    declared = {short_name(resource.urn): resource for resource in program.registrations}
    for operation in recorded:
        urn = f"urn:pulumi:prod::honeydue::{operation['type']}::{operation['urn'].partition('::')[2]}"
        state: dict[str, Any] = {"urn": urn, "type": operation["type"], "custom": True, "protect": True}
        if resource := declared.get(operation["urn"]):
            state |= {
                # The SDK marks the whole spec of a Deployment as secret, and the provider only its checksum.
                "inputs": resource.inputs if resource.kind == "Deployment" else masked(resource.request.object),
                "dependencies": list(resource.request.dependencies),
                "protect": resource.request.protect,
            }
        paths = dict(change.split(":") for change in operation["changed"] if ":" in change)
        yield {
            "op": operation["op"],
            "urn": urn,
            "oldState": state | {"inputs": IMPORTED},
            "newState": None if operation["op"] == "delete" else state | {"outputs": dict.fromkeys(IMPORTED, UNKNOWN)},
            "detailedDiff": {path: {"kind": kind} for path, kind in paths.items()} or None,
            "diffReasons": [name for name in operation["changed"] if ":" not in name],
        }


@pytest.mark.parametrize("scenario", operations())
def test_each_update_shows_what_differs(production: Capture, scenario: str) -> None:
    plan = recorded_plan(scenario, production)
    assert plan.changes
    comment = markdown.preview(plan, [], cost="")
    for step in plan.changes:
        assert changed_properties(step) or step.deletes, step.short
        assert f"| {step.op} | `{step.short}` |" in comment


@pytest.mark.parametrize(
    ("scenario", "resource", "properties"),
    [
        ("zone-setting-changed", "ZoneSetting::min_tls_version", "value"),
        ("record-changed-by-hand", "DnsRecord::api-hetzner2", "proxied"),
        ("ssh-key-rotated", "SshKey::key-rehearsal", "publicKey"),
        ("firewall-rule-changed-by-hand", "Firewall::honeydue", "rules"),
        ("adoption", "PrimaryIp::hetzner1", "autoDelete, deleteProtection, name"),
        ("adoption", "SshKey::key-rehearsal", "labels, name"),
        ("adoption", "AuthenticatedOriginPullsSettings::origin-pulls", "enabled"),
        (
            "adoption",
            "Server::hetzner1",
            "deleteProtection, firewallIds, ignoreRemoteFirewallIds, keepDisk and 3 more",
        ),
    ],
)
def test_the_table_shows_the_properties_that_the_program_sets(
    example: Capture, scenario: str, resource: str, properties: str
) -> None:
    (step,) = (step for step in recorded_plan(scenario, example).changes if step.short == resource)
    assert changed_properties(step) == properties


@pytest.mark.parametrize(
    ("scenario", "violated"),
    [
        *((name, set()) for name in ("adoption", "node-added", "ssh-key-rotated", "zone-setting-changed")),
        ("node-replaced", {"Server::hetzner3"}),
        (
            "node-removed-confirmed",
            {f"Server::{NODE}", *(f"DnsRecord::{host}-{NODE}" for host in ("api", "admin", "app", "apex"))},
        ),
    ],
)
def test_the_guard_rails_refuse_the_recorded_deletions_only(
    example: Capture, scenario: str, violated: set[str]
) -> None:
    violations = check(recorded_plan(scenario, example))
    assert {(violation.rule, violation.resource) for violation in violations} == {
        ("no_deletion", resource) for resource in violated
    }


def test_the_table_shows_a_property_that_the_program_no_longer_sets() -> None:
    record = {"urn": "urn:pulumi:prod::honeydue::cloudflare:index/dnsRecord:DnsRecord::api", "type": "DnsRecord"}
    step = Step.model_validate(
        {
            "op": "update",
            "urn": record["urn"],
            "oldState": record | {"inputs": {"comment": "by hand"}},
            "newState": record | {"outputs": {"modifiedOn": UNKNOWN}},
            "diffReasons": ["comment", "modifiedOn"],
        }
    )
    assert changed_properties(step) == "comment"
