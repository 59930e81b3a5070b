"""The simulated Cloudflare API: paths, bodies, pages and zones."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.clouds.account import Account, write_account
from tests.unit.clouds.api import TOKENS, ZONE, ZONE_ID, Api
from tests.unit.clouds.cloudflare.requests import (
    CLIENT_CERTIFICATES,
    RECORD,
    RECORDS,
    RULESETS,
    UNKNOWN_ID,
    error,
    names,
    result,
    with_permissions,
)


def test_an_unknown_path_or_method_returns_the_error_envelope(api: Api, tmp_path: Path) -> None:
    assert error(api("GET", f"/zones/{ZONE_ID}/waiting_rooms")) == (404, 7003)
    assert error(api("DELETE", "/ips")) == (405, 10405)
    assert (tmp_path / "not-simulated.txt").read_text().splitlines() == [
        f"GET /client/v4/zones/{ZONE_ID}/waiting_rooms",
        "DELETE /client/v4/ips",
    ]


def test_a_body_must_be_an_object_with_the_required_fields(api: Api, tmp_path: Path) -> None:
    assert error(api("POST", RECORDS, ["a"])) == (400, 6007)
    rulesets = with_permissions(tmp_path, "Cache Rules:Edit")
    assert error(rulesets("POST", RULESETS, {"name": "cache", "kind": "zone"})) == (400, 1004)


@pytest.mark.parametrize("path", ["dns_records", "settings/ssl", "origin_tls_client_auth"])
def test_a_zone_of_another_account_is_unknown(api: Api, path: str) -> None:
    response = api("GET", f"/zones/{UNKNOWN_ID}/{path}")
    assert error(response) == (404, 7003)
    assert f"Could not route to /client/v4/zones/{UNKNOWN_ID}/{path}" in response.json["errors"][0]["message"]


def test_lists_have_pages(api: Api) -> None:
    for index in range(5):
        result(api("POST", RECORDS, {**RECORD, "name": f"n{index}"}))
    first = api("GET", RECORDS)
    assert len(result(first)) == 5
    assert first.json["result_info"] == {
        "page": 1,
        "per_page": 100,
        "count": 5,
        "total_count": 5,
        "total_pages": 1,
    }
    second = api("GET", f"{RECORDS}?page=2&per_page=2")
    assert names(second) == [f"n2.{ZONE}", f"n3.{ZONE}"]
    assert second.json["result_info"]["total_pages"] == 3
    assert result(api("GET", f"{RECORDS}?page=2")) == []


def test_zones_are_filtered_by_name(api: Api) -> None:
    for query in (f"name={ZONE}", f"match=all&name={ZONE}", "name=contains:HONEY&status=active", ""):
        assert names(api("GET", f"/zones?{query}")) == [ZONE]
    for query in ("name=example.com", "name=honeydue", "status=pending", "name=starts_with:example"):
        assert names(api("GET", f"/zones?{query}")) == []
    assert names(api("GET", f"/zones?match=any&status=pending&name={ZONE}")) == [ZONE]
    zone = result(api("GET", f"/zones/{ZONE_ID}"))
    assert (zone["id"], zone["status"], zone["plan"]["legacy_id"]) == (ZONE_ID, "active", "free")
    assert error(api("GET", f"/zones/{UNKNOWN_ID}")) == (404, 7003)


def test_zones_are_ordered(tmp_path: Path) -> None:
    zones = {ZONE: ZONE_ID, "example.com": UNKNOWN_ID}
    write_account(tmp_path, Account(zones=zones, tokens=TOKENS))
    api = Api("cloudflare", tmp_path)
    assert names(api("GET", "/zones?order=name&direction=desc")) == [ZONE, "example.com"]
    assert names(api("GET", "/zones?order=name")) == ["example.com", ZONE]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/zones", (405, 10405)),
        ("PATCH", f"/zones/{ZONE_ID}/dnssec", (404, 7003)),
        ("POST", f"/zones/{ZONE_ID}/cache/tiered_cache_smart_topology_enable", (404, 7003)),
        ("PUT", f"{CLIENT_CERTIFICATES}/hostnames", (405, 10405)),
    ],
)
def test_requests_of_undeclared_resource_types_are_not_simulated(
    tmp_path: Path, method: str, path: str, expected: tuple[int, int]
) -> None:
    api = with_permissions(tmp_path, "Zone:Edit", "DNS:Edit", "Zone Settings:Edit", "SSL and Certificates:Edit")
    assert error(api(method, path, {})) == expected
    assert (tmp_path / "not-simulated.txt").read_text().splitlines() == [f"{method} /client/v4{path}"]
