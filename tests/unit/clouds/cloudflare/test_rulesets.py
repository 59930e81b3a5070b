"""The simulated Cloudflare API: rulesets."""

from __future__ import annotations

from pathlib import Path

from tests.unit.clouds.cloudflare.requests import CACHE_RULES, RULESETS, UNKNOWN_ID, error, result, with_permissions


def test_a_phase_has_a_single_entry_point(tmp_path: Path) -> None:
    api = with_permissions(tmp_path, "Cache Rules:Edit")
    assert error(api("GET", f"/zones/{UNKNOWN_ID}/rulesets")) == (404, 7003)
    entry_point = f"{RULESETS}/phases/{CACHE_RULES['phase']}/entrypoint"
    assert error(api("GET", entry_point)) == (404, 10003)
    created = result(api("POST", RULESETS, CACHE_RULES))
    assert created["version"] == "1"
    assert created["rules"][0]["enabled"] is True
    assert created["rules"][0]["ref"] == created["rules"][0]["id"]
    assert result(api("GET", entry_point)) == created
    assert error(api("POST", RULESETS, CACHE_RULES)) == (400, 20217)
    result(api("POST", RULESETS, {**CACHE_RULES, "phase": "http_ratelimit"}))
    path = f"{RULESETS}/{created['id']}"
    assert result(api("PUT", path, {**CACHE_RULES, "rules": []}))["version"] == "2"
    assert result(api("PUT", entry_point, {"rules": CACHE_RULES["rules"]}))["version"] == "3"
    assert [ruleset["phase"] for ruleset in result(api("GET", RULESETS))] == [CACHE_RULES["phase"], "http_ratelimit"]
    assert "rules" not in result(api("GET", RULESETS))[0]
    assert api("DELETE", path).status == 204
    assert error(api("GET", path)) == (404, 10000)
    first = result(api("PUT", entry_point, {"rules": []}))
    assert (first["version"], first["kind"]) == ("1", "zone")
