"""Zone settings, rulesets, functions and checks of the simulated cloudflare plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.clouds.account import Account, IpRanges, Token, write_account
from rehearsal.clouds.cloudflare.zones import ACCOUNT
from tests.unit.clouds.api import CLOUDFLARE_TOKEN, ZONE, ZONE_ID, account, state
from tests.unit.plugins.cloudflare.resources import INPUTS, RECORD
from tests.unit.plugins.engine import Engine, Inputs, ProviderError

SETTING = "cloudflare:index/zoneSetting:ZoneSetting"
RULESET = "cloudflare:index/ruleset:Ruleset"
ZONE_TYPE = "cloudflare:index/zone:Zone"
TIERED_CACHE = "cloudflare:index/tieredCache:TieredCache"
DNSSEC = "cloudflare:index/zoneDnssec:ZoneDnssec"
HOSTNAMES = "cloudflare:index/authenticatedOriginPulls:AuthenticatedOriginPulls"
RANGES = "cloudflare:index/getIpRanges:getIpRanges"
GET_ZONE = "cloudflare:index/getZone:getZone"
ACCOUNT_RULES: Inputs = {"accountId": ACCOUNT["id"], "name": "root", "kind": "root", "phase": "http_ratelimit"}
CACHE_RULE = {"action": "set_cache_settings", "expression": "true", "actionParameters": {"cache": True}}
RULES: Inputs = {"zoneId": ZONE_ID, "name": "cache", "kind": "zone", "phase": "http_request_cache_settings"}
HOST_CONFIG = {"hostname": f"api.{ZONE}", "certId": "c", "enabled": True}


def test_deleting_a_setting_resource_does_not_change_the_setting(cloudflare: Engine, tmp_path: Path) -> None:
    inputs = {"zoneId": ZONE_ID, "settingId": "ssl", "value": "strict"}
    setting = cloudflare.create(SETTING, inputs)
    assert setting.id == "ssl"
    cloudflare.delete(setting)
    assert state(tmp_path, "cloudflare").of("settings")[f"{ZONE_ID}/ssl"]["value"] == "strict"


@pytest.mark.parametrize("change", [{"settingId": "sssl"}, {"value": "stricter"}])
def test_an_unknown_setting_is_refused(cloudflare: Engine, change: Inputs) -> None:
    with pytest.raises(ProviderError, match="PATCH"):
        cloudflare.create(SETTING, {"zoneId": ZONE_ID, "settingId": "ssl", "value": "strict", **change})


def test_a_setting_with_its_default_can_be_imported(cloudflare: Engine) -> None:
    imported = cloudflare.import_(SETTING, f"{ZONE_ID}/min_tls_version")
    assert imported is not None
    assert (imported.id, imported.inputs["value"]) == ("min_tls_version", "1.0")


def with_permissions(folder: Path, *permissions: str) -> Engine:
    """The plugin with a token that has these permissions."""
    write_account(folder, Account(zones={ZONE: ZONE_ID}, tokens=[Token("cloudflare", CLOUDFLARE_TOKEN, permissions)]))
    return Engine("cloudflare", folder)


def test_a_phase_has_a_single_ruleset(tmp_path: Path) -> None:
    cloudflare = with_permissions(tmp_path, "Cache Rules:Edit")
    inputs = {"zoneId": ZONE_ID, "name": "cache", "kind": "zone", "phase": "http_request_cache_settings", "rules": []}
    ruleset = cloudflare.create(RULESET, inputs)
    with pytest.raises(ProviderError, match="20217"):
        cloudflare.create(RULESET, inputs)
    imported = cloudflare.import_(RULESET, f"zones/{ZONE_ID}/{ruleset.id}")
    assert imported is not None
    assert imported.id == ruleset.id


@pytest.mark.parametrize(
    ("type_", "inputs", "change", "prefix"),
    [
        (RULESET, {**RULES, "rules": [CACHE_RULE]}, {"description": "honeyDue"}, f"zones/{ZONE_ID}/"),
        (RULESET, {**ACCOUNT_RULES, "rules": []}, {"name": "other"}, f"accounts/{ACCOUNT['id']}/"),
    ],
)
def test_a_ruleset_is_created_changed_imported_and_deleted(
    tmp_path: Path, type_: str, inputs: Inputs, change: Inputs, prefix: str
) -> None:
    cloudflare = with_permissions(tmp_path, "Cache Rules:Edit")
    created = cloudflare.create(type_, inputs)
    refreshed = cloudflare.read(created)
    assert refreshed is not None
    assert refreshed.inputs == created.inputs
    updated = cloudflare.update(created, {**created.inputs, **change})
    imported = cloudflare.import_(type_, f"{prefix}{created.id}")
    assert imported is not None
    assert imported.id == created.id
    assert {name: imported.inputs.get(name) for name in change} == change
    assert not cloudflare.diff(imported, {**inputs, **change}).replaces
    cloudflare.delete(updated)
    assert cloudflare.read(updated) is None


@pytest.mark.parametrize(
    ("type_", "inputs"),
    [
        (ZONE_TYPE, {"name": "example.com", "account": {"id": "a"}}),
        (TIERED_CACHE, {"zoneId": ZONE_ID, "value": "on"}),
        (HOSTNAMES, {"zoneId": ZONE_ID, "configs": [HOST_CONFIG]}),
        (DNSSEC, {"zoneId": ZONE_ID, "status": "active"}),
    ],
)
def test_a_type_that_the_program_does_not_declare_is_only_checked(
    cloudflare: Engine, tmp_path: Path, type_: str, inputs: Inputs
) -> None:
    assert cloudflare.reasons(type_, inputs) == []
    message = f"checks and compares '{type_}', but does not simulate its requests"
    with pytest.raises(ProviderError, match=message):
        cloudflare.create(type_, inputs)
    with pytest.raises(ProviderError, match=message):
        cloudflare.import_(type_, ZONE_ID)
    assert not (tmp_path / "cloudflare.json").exists()


def test_get_ip_ranges_returns_22_ranges(cloudflare: Engine) -> None:
    response = cloudflare.invoke(RANGES, {})
    assert (len(response["ipv4Cidrs"]), len(response["ipv6Cidrs"])) == (15, 7)


def test_the_account_can_replace_the_ip_ranges(cloudflare: Engine, tmp_path: Path) -> None:
    account(tmp_path, ranges=IpRanges(["198.51.100.0/24"], []))
    assert cloudflare.invoke(RANGES, {})["ipv4Cidrs"] == ["198.51.100.0/24"]
    account(tmp_path, ranges=IpRanges([], []))
    response = cloudflare.invoke(RANGES, {})
    assert response["ipv4Cidrs"] == response["ipv6Cidrs"] == []


def test_get_zone_accepts_a_name_or_an_id(cloudflare: Engine) -> None:
    assert cloudflare.invoke(GET_ZONE, {"filter": {"name": ZONE, "match": "all"}})["zoneId"] == ZONE_ID
    assert cloudflare.invoke(GET_ZONE, {"zoneId": ZONE_ID})["name"] == ZONE
    with pytest.raises(ProviderError, match="failed to find exactly one result: 0 found"):
        cloudflare.invoke(GET_ZONE, {"filter": {"name": "example.com"}})
    with pytest.raises(ProviderError, match=r'GET "http://127.0.0.1:\d+/client/v4/zones/none": 404 Not Found'):
        cloudflare.invoke(GET_ZONE, {"zoneId": "none"})


def test_the_error_names_an_unknown_function(cloudflare: Engine) -> None:
    with pytest.raises(ProviderError, match="getWaitingRooms"):
        cloudflare.invoke("cloudflare:index/getWaitingRooms:getWaitingRooms", {})


@pytest.mark.parametrize(
    ("type_", "inputs", "message"),
    [
        (RECORD, {**INPUTS, "type": "a"}, None),
        (RECORD, {**INPUTS, "priority": 70000}, "priority"),
        (RECORD, {**INPUTS, "ttl": "soon"}, "Expected a Number"),
        (RECORD, {**INPUTS, "content": ["1.2.3.4"]}, "Expected a String"),
        (RECORD, {**INPUTS, "tags": "web"}, "Expected an Array"),
        (
            RULESET,
            {"zoneId": ZONE_ID, "name": "c", "kind": "zoned", "phase": "http_ratelimit"},
            'one of: ["managed" "custom" "root" "zone"]',
        ),
        (
            "cloudflare:index/workersKv:WorkersKv",
            {},
            "does not simulate 'cloudflare:index/workersKv:WorkersKv'",
        ),
    ],
)
def test_check_refuses_invalid_inputs(cloudflare: Engine, type_: str, inputs: Inputs, message: str | None) -> None:
    reasons = cloudflare.reasons(type_, inputs)
    assert len(reasons) == (0 if message is None else 1)
    assert message is None or message in reasons[0]
