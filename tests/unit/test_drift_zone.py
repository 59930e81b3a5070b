"""`make drift`: what acts on the hosts of the stack in their Cloudflare zone, and is not declared."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.names import hostnames
from ops.adoption.lookups.cloudflare import Cloudflare
from ops.drift.rows import NOT_DECLARED, DriftRow
from ops.drift.zone import UndeclaredInZone, undeclared_in_zone
from ops.errors import OpsError
from ops.permissions import PHASES
from ops.plan import State
from rehearsal.clouds.account import Token, read_account, write_account
from rehearsal.world.account import TOKEN_PERMISSIONS
from tests.unit.clouds.api import ZONE, ZONE_ID, Api, account, served
from tests.unit.plans import RECORD, state

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
API_HOST = f"api.{ZONE}"
EDITOR = Token(
    "cloudflare",
    "editor",
    [f"{group}:Edit" for group in (*PHASES.values(), "Zone", "Zone Settings", "Page Rules", "Workers Routes")],
)


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    account(tmp_path)
    grant(tmp_path, Token("cloudflare", "reader", TOKEN_PERMISSIONS), EDITOR)
    with served(tmp_path) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield tmp_path


@pytest.fixture
def dashboard(clouds: Path) -> Api:
    return Api("cloudflare", clouds, token=EDITOR.value)


def grant(clouds: Path, *tokens: Token) -> None:
    write_account(clouds, replace(read_account(clouds), tokens=tokens))


def check(token: str = "reader") -> UndeclaredInZone:  # noqa: S107  # of the simulated cloud
    records = [
        State.model_validate(state(RECORD, name, outputs={"zoneId": ZONE_ID, "name": host}))
        for name, host in hostnames(ZONE).items()
    ]
    return undeclared_in_zone(Cloudflare(token), records)


def rows() -> Sequence[DriftRow]:
    return check().rows


def send(dashboard: Api, method: str, path: str, body: object) -> None:
    response = dashboard(method, f"/zones/{ZONE_ID}{path}", body)
    assert response.status == 200, response.json


def page_rule(pattern: str, **more: Any) -> dict[str, Any]:
    return {
        "targets": [{"target": "url", "constraint": {"operator": "matches", "value": pattern}}],
        "actions": [{"id": "ssl", "value": "flexible"}],
        "status": "active",
        **more,
    }


def rule(expression: str, action: str = "route", **more: Any) -> dict[str, Any]:
    return {"action": action, "expression": expression, "description": "by hand", **more}


def set_rules(dashboard: Api, phase: str, *rules: dict[str, Any]) -> None:
    send(dashboard, "PUT", f"/rulesets/phases/{phase}/entrypoint", {"rules": rules})


@pytest.mark.usefixtures("clouds")
def test_a_new_zone_has_no_drift() -> None:
    assert check() == UndeclaredInZone(rows=[], unread=[])


@pytest.mark.parametrize(
    "pattern",
    [f"{API_HOST}/*", f"*{ZONE}/*", f"https://*.{ZONE}/admin*", f"http*://{ZONE}:443/", "*", f"blog.{ZONE}/*|{ZONE}/"],
)
def test_a_page_rule_on_a_host_is_drift(dashboard: Api, pattern: str) -> None:
    send(dashboard, "POST", "/pagerules", page_rule(pattern))
    assert rows() == [DriftRow(resource=f"PageRule {pattern}", declared=NOT_DECLARED, actual={"ssl": "flexible"})]


def test_a_page_rule_on_another_host_or_without_effect_is_no_drift(dashboard: Api) -> None:
    send(dashboard, "POST", "/pagerules", page_rule(f"blog.{ZONE}/*"))
    send(dashboard, "POST", "/pagerules", page_rule(f"www.{ZONE}/{API_HOST}/*"))
    send(dashboard, "POST", "/pagerules", page_rule(f"{API_HOST}/*", status="disabled"))
    assert rows() == []


def test_a_worker_route_on_a_host_is_drift(dashboard: Api) -> None:
    for pattern in (f"*.{ZONE}/*", f"blog.{ZONE}/*"):
        send(dashboard, "POST", "/workers/routes", {"pattern": pattern, "script": "proxy"})
    send(dashboard, "POST", "/workers/routes", {"pattern": f"{API_HOST}/assets/*"})
    assert rows() == [
        DriftRow(resource=f"WorkerRoute *.{ZONE}/*", property="script", declared=NOT_DECLARED, actual="proxy")
    ]


@pytest.mark.parametrize("phase", PHASES)
def test_a_rule_of_any_phase_is_drift(dashboard: Api, phase: str) -> None:
    set_rules(dashboard, phase, rule("true"))
    assert rows() == [
        DriftRow(resource=f"Ruleset {phase}", property="rules[by hand]", declared=NOT_DECLARED, actual="route if true")
    ]


@pytest.mark.parametrize(
    ("expression", "drift"),
    [
        (f'(http.host eq "{API_HOST}")', True),
        (f'http.host eq "blog.{ZONE}" or ip.src.country eq "CN"', True),
        (f'not http.host eq "blog.{ZONE}"', True),
        (f'http.host ne "blog.{ZONE}"', True),
        (f'!(http.host == "blog.{ZONE}")', True),
        (f'http.host in {{"blog.{ZONE}" "{API_HOST}"}}', True),
        (f'http.request.full_uri wildcard r"https://*.{ZONE}/*"', True),
        (f'http.host eq "blog.{ZONE}" and http.user_agent eq "\\"" or http.user_agent eq ""', True),
        (f'(http.host eq "blog.{ZONE}" and http.request.uri.path eq "/this or that")', False),
        ('(http.request.full_uri wildcard r"https://www.*")', False),
    ],
)
def test_a_rule_counts_unless_it_only_concerns_other_hosts(dashboard: Api, expression: str, drift: bool) -> None:
    set_rules(dashboard, "http_request_origin", rule(expression))
    assert [row.actual for row in rows()] == [f"route if {expression}"] * drift


def test_managed_rules_are_no_drift_unless_they_are_disabled_or_overridden(dashboard: Api) -> None:
    managed = rule("true", "execute", action_parameters={"id": "77454fe2d30c4220b5701f6fdfb893ba"})
    set_rules(dashboard, "http_request_firewall_managed", managed, rule("true", "skip", enabled=False))
    assert rows() == []
    overridden = {**managed, "action_parameters": {"id": "7", "overrides": {"enabled": False}}}
    set_rules(dashboard, "http_request_firewall_managed", {**managed, "enabled": False}, overridden)
    assert [row.actual for row in rows()] == ["disabled execute if true", "execute if true"]


@pytest.mark.parametrize(
    ("setting", "value", "harmless"),
    [
        ("0rtt", "on", "off"),
        ("development_mode", "on", "off"),
        ("pseudo_ipv4", "overwrite_header", "add_header"),
        ("security_level", "essentially_off", "high"),
        ("security_level", "under_attack", "low"),
        (
            "security_header",
            {"strict_transport_security": {"enabled": True, "max_age": 0}},
            {"strict_transport_security": {"enabled": False}},
        ),
    ],
)
def test_an_undeclared_setting_that_matters_is_drift(dashboard: Api, setting: str, value: Any, harmless: Any) -> None:
    send(dashboard, "PATCH", f"/settings/{setting}", {"value": value})
    assert rows() == [
        DriftRow(resource=f"ZoneSetting {setting}", property="value", declared=NOT_DECLARED, actual=value)
    ]
    send(dashboard, "PATCH", f"/settings/{setting}", {"value": harmless})
    send(dashboard, "PATCH", "/settings/brotli", {"value": "off"})
    assert rows() == []


def test_a_paused_zone_is_drift(dashboard: Api) -> None:
    send(dashboard, "PATCH", "", {"paused": True})
    assert rows() == [DriftRow(resource=f"Zone {ZONE}", property="paused", declared=False, actual=True)]


def test_all_changes_together_are_drift(dashboard: Api) -> None:
    send(dashboard, "PATCH", "", {"paused": True})
    send(dashboard, "PATCH", "/settings/0rtt", {"value": "on"})
    send(dashboard, "POST", "/pagerules", page_rule(f"{API_HOST}/*"))
    send(dashboard, "POST", "/workers/routes", {"pattern": f"{API_HOST}/*", "script": "proxy"})
    for phase in PHASES:
        set_rules(dashboard, phase, rule("true"), rule("true"))
    assert len(rows()) == 4 + 2 * len(PHASES)


def test_what_the_token_may_not_read_is_named(clouds: Path) -> None:
    grant(clouds, Token("cloudflare", "limited", ["Zone:Read", "DNS:Edit", "Zone Settings:Edit", "Zone WAF:Read"]))
    result = check("limited")
    assert result.rows == []
    assert len(result.unread) == 1 + sum(group != "Zone WAF" for group in PHASES.values())
    assert "Worker routes (permission Workers Routes: Read)" in result.unread
    assert "rules of phase http_request_origin (permission Origin Rules: Read)" in result.unread


def test_an_api_that_fails_is_an_error(clouds: Path) -> None:
    fault = {"vendor": "cloudflare", "method": "GET", "path": ".*/pagerules", "status": 400}
    (clouds / "faults.json").write_text(json.dumps([fault]))
    with pytest.raises(OpsError, match="Cloudflare's API returned 400"):
        check()


def test_the_runbook_names_the_permissions_of_the_token() -> None:
    (row,) = (line for line in RUNBOOK.read_text().splitlines() if line.startswith("| `cloudflareToken` |"))
    edit, _, read = row.partition("Edit:")[2].partition("Read:")
    documented = {(group, level) for level, text in (("Edit", edit), ("Read", read)) for group in groups_in(text)}
    assert documented == {tuple(permission.split(":")) for permission in TOKEN_PERMISSIONS}


def groups_in(text: str) -> Sequence[str]:
    text = text.replace(", and for `make drift`", ",").strip(" .|")
    return [group.strip() for group in text.split(",")]
