"""The simulated Cloudflare API: page rules, routes of Workers, and the pause of a zone."""

from __future__ import annotations

from pathlib import Path

from tests.unit.clouds.api import ZONE, ZONE_ID
from tests.unit.clouds.cloudflare.requests import UNKNOWN_ID, error, result, with_permissions


def test_page_rules_are_listed_by_status(tmp_path: Path) -> None:
    api, path = with_permissions(tmp_path, "Page Rules:Edit"), f"/zones/{ZONE_ID}/pagerules"
    target = {"target": "url", "constraint": {"operator": "matches", "value": f"{ZONE}/*"}}
    inputs = {"targets": [target], "actions": [{"id": "disable_security"}]}
    assert error(api("GET", f"/zones/{UNKNOWN_ID}/pagerules")) == (404, 7003)
    disabled, active = (result(api("POST", path, {**inputs, **more})) for more in ({}, {"status": "active"}))
    assert (disabled["status"], disabled["priority"]) == ("disabled", 1)
    assert result(api("GET", path)) == [disabled, active]
    assert result(api("GET", f"{path}?status=active")) == [active]
    assert result(api("DELETE", f"{path}/{active['id']}")) == {"id": active["id"]}
    assert error(api("DELETE", f"{path}/{active['id']}")) == (404, 7003)
    assert error(api("POST", path, {"targets": [target]})) == (400, 1004)


def test_a_route_may_have_no_script(tmp_path: Path) -> None:
    api, path = with_permissions(tmp_path, "Workers Routes:Edit"), f"/zones/{ZONE_ID}/workers/routes"
    created = [
        result(api("POST", path, {"pattern": f"{ZONE}/{name}", **more}))
        for name, more in (("a", {"script": "a"}), ("b", {}))
    ]
    assert result(api("GET", path)) == created
    assert result(api("DELETE", f"{path}/{created[1]['id']}")) == {"id": created[1]["id"]}
    assert result(api("GET", path)) == created[:1]
    assert [route.get("script") for route in created] == ["a", None]


def test_a_zone_is_paused_and_resumed(tmp_path: Path) -> None:
    api, path = with_permissions(tmp_path, "Zone:Edit"), f"/zones/{ZONE_ID}"
    assert result(api("GET", path))["paused"] is False
    assert result(api("PATCH", path, {"paused": True}))["paused"] is True
    assert result(api("GET", path))["paused"] is True
    assert result(api("PATCH", path, {"paused": False}))["paused"] is False
