"""`make drift`: the rows of refreshes that were recorded with the real plugins (`recorded/refreshes.json`).

A case has the inputs before the change (`prior`), what the refresh returned after a change by hand (`inputs`,
`outputs`), the inputs of the program (`declared`) and the differences that the plugin reported (`paths`, `names`).
"""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.drift.masking import Masking
from ops.drift.report import DriftReport, markdown
from ops.drift.rows import drift_rows
from ops.drift.servers import power_on_instructions, stopped_servers
from ops.plan import Plan
from tests.unit.plans import plan, state, urn

CASES = {case["case"]: case for case in json.loads((Path(__file__).parent / "recorded" / "refreshes.json").read_text())}
ETCD = "in tcp 2379-2380 from 178.104.247.152/32, 178.104.249.189/32, 178.105.32.198/32"
FLANNEL = "in udp 8472 from 178.104.247.152/32, 178.104.249.189/32, 178.105.32.198/32"
OPEN_5432 = ("rules", None, "in tcp 5432 from 0.0.0.0/0")
CLOSED_8472 = ("rules[Flannel vxlan between nodes]", FLANNEL, None)
OPEN_443 = ("rules[HTTPS from Cloudflare alone].sourceIps", None, ["0.0.0.0/0"])
BY_HAND = ("labels.by", None, "hand")
CHANGED = ("labels.cluster", "honeydue", "other")


def refreshed_plan(case: dict[str, Any]) -> Plan:
    kind = case["type"]
    step = {
        "op": "update" if case["names"] else "same",
        "urn": urn(kind, "example"),
        "oldState": state(kind, "example", inputs=case["inputs"], outputs=case["outputs"]),
        "newState": state(kind, "example", inputs=case["declared"]),
        "detailedDiff": {path: {"kind": change.lower()} for path, change in case["paths"].items()} or None,
        "diffReasons": case["names"],
    }
    return plan(step)


def rows(case: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Property, declared and actual value of each row."""
    drift = drift_rows(refreshed_plan(case), [urn(case["type"], "example")])
    return [(row.property, row.declared, row.actual) for row in drift]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("firewall: a rule in place of etcd", [("rules[etcd between nodes]", ETCD, None), OPEN_5432]),
        ("firewall: a rule without description", [OPEN_5432]),
        ("firewall: a rule with description", [("rules[database]", None, "in tcp 5432 from 0.0.0.0/0")]),
        ("firewall: an outbound rule", [("rules", None, "out tcp 5432 to 198.51.100.0/24")]),
        ("firewall: 443 open to the world", [OPEN_443]),
        ("firewall: 8472 closed", [CLOSED_8472]),
        (
            "firewall: all of it",
            [OPEN_443, CLOSED_8472, OPEN_5432, ("rules", None, "in udp 6379 from 0.0.0.0/0")],
        ),
        ("server: second firewall", [("firewallIds", None, [1007])]),
        ("server: backups on", [("backups", None, True)]),
        ("server: protection off", [("deleteProtection", True, False), ("rebuildProtection", True, False)]),
        (
            "server: alias ip",
            [
                ("networks", {"ip": "10.0.1.2", "subnetId": "1009-10.0.1.0/24"}, None),
                ("networks", None, {"aliasIps": ["10.0.1.77"], "ip": "10.0.1.2", "subnetId": "1009-10.0.1.0/24"}),
            ],
        ),
        ("server: detached", [("networks", {"ip": "10.0.1.2", "subnetId": "1009-10.0.1.0/24"}, None)]),
        ("address: protection off", [("deleteProtection", True, False)]),
        ("record: proxied", [("proxied", True, False)]),
        ("record: content", [("content", "178.104.247.152", "192.0.2.9")]),
        ("record: comment", [("comment", "by the program", "by hand")]),
        *((f"{name}: label added", [BY_HAND]) for name in ("server", "address", "key", "group", "network")),
        *((f"{name}: label changed", [CHANGED]) for name in ("server", "address", "key", "group", "network")),
    ],
)
def test_a_change_by_hand_is_named_as_it_is(case: str, expected: list[tuple[str, Any, Any]]) -> None:
    assert rows(CASES[case]) == expected


@pytest.mark.parametrize("case", ["server unchanged", "firewall unchanged", "record unchanged"])
def test_a_refresh_without_changes_is_no_drift_beside_another_difference(case: str) -> None:
    assert rows(CASES[case]) == []
    # Only the reported property counts, although a refresh returns other inputs than the program declares.
    assert rows({**CASES[case], "names": ["id"], "paths": {"name": "UPDATE"}}) == [
        ("name", "as declared", "another value")
    ]
    assert rows({**CASES[case], "names": ["__meta"], "paths": {"__meta": "UPDATE", "rules[0].__defaults": "ADD"}}) == []


def test_each_rule_of_an_emptied_firewall_is_missing() -> None:
    drift = rows(CASES["firewall: no rules"])
    assert [actual for _, _, actual in drift] == [None] * 6
    assert ("rules[etcd between nodes]", ETCD, None) in drift


def test_no_row_names_a_property_of_the_engine() -> None:
    assert not [row for case in CASES.values() for row in rows(case) if "__" in json.dumps(row)]


def test_a_server_that_does_not_run_is_drift_with_the_way_to_start_it() -> None:
    case = CASES["server: powered off"]
    assert rows(case) == []
    refreshed = refreshed_plan(case)
    (row,) = stopped = list(stopped_servers(refreshed))
    assert (row.resource, row.property, row.declared, row.actual) == ("Server::example", "status", "running", "off")
    (instruction,) = power_on_instructions(refreshed, stopped)
    assert "hcloud server poweron ubuntu-1" in instruction
    report = markdown(DriftReport(rows=stopped, instructions=[instruction]), Masking({}), stack="prod")
    assert f"- {instruction}." in report


def test_servers_that_run_are_no_drift() -> None:
    running = [refreshed_plan(case) for name, case in CASES.items() if name != "server: powered off"]
    assert not [row for refreshed in running for row in stopped_servers(refreshed)]


def test_a_description_with_brackets_hides_no_rule() -> None:
    case = CASES["firewall: a rule with description"]
    text = json.dumps(case["outputs"]).replace("database", "a]b[0].c")
    assert rows({**case, "outputs": json.loads(text)}) == [("rules[a'b'0'.c]", None, "in tcp 5432 from 0.0.0.0/0")]
