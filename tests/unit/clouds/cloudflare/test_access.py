"""The simulated Cloudflare API: tokens, permission groups, the rate limit and published IP ranges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rehearsal.clouds.account import IpRanges
from rehearsal.clouds.cloudflare import access
from rehearsal.clouds.cloudflare.zones import ACCOUNT
from tests.unit.clouds.api import ZONE, ZONE_ID, Api, account, state
from tests.unit.clouds.cloudflare.requests import (
    CLIENT_CERTIFICATES,
    RECORD,
    RECORDS,
    RULESETS,
    SETTINGS,
    error,
    names,
    result,
    with_permissions,
)


def test_a_token_is_verified(api: Api, tmp_path: Path) -> None:
    assert result(api("GET", "/user/tokens/verify"))["status"] == "active"
    assert error(Api("cloudflare", tmp_path, token="wrong")("GET", "/user/tokens/verify")) == (401, 1000)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, (400, 9106)),
        ("Token cloudflare-token", (400, 6003)),
        ("Bearer wrong", (403, 9109)),
        ("Bearer hetzner-token", (403, 9109)),
    ],
)
def test_a_request_needs_a_token_of_the_account(api: Api, header: str | None, expected: tuple[int, int]) -> None:
    headers = {"Authorization": header} if header else {}
    response = api.app.test_client().get("/client/v4/zones", headers=headers)
    assert (response.status_code, response.get_json()["errors"][0]["code"]) == expected


def test_the_ip_ranges_need_no_token(api: Api) -> None:
    ranges = api.app.test_client().get("/client/v4/ips").get_json()["result"]
    assert (len(ranges["ipv4_cidrs"]), len(ranges["ipv6_cidrs"])) == (15, 7)


def test_the_account_can_replace_the_ip_ranges(api: Api, tmp_path: Path) -> None:
    published = result(api("GET", "/ips"))
    account(tmp_path, ranges=IpRanges(["198.51.100.0/24"], []))
    ranges = result(api("GET", "/ips"))
    assert (ranges["ipv4_cidrs"], ranges["ipv6_cidrs"]) == (["198.51.100.0/24"], [])
    assert ranges["etag"] != published["etag"]


@pytest.mark.parametrize(
    ("method", "path", "permission", "expected"),
    [
        ("GET", f"/zones/{ZONE_ID}", "Zone:Read", (403, 9109)),
        ("GET", RECORDS, "DNS:Read", (403, 10000)),
        ("POST", RECORDS, "DNS:Edit", (403, 10000)),
        ("GET", f"{SETTINGS}/ssl", "Zone Settings:Read", (403, 9109)),
        ("PATCH", f"{SETTINGS}/ssl", "Zone Settings:Edit", (403, 9109)),
        ("GET", CLIENT_CERTIFICATES, "SSL and Certificates:Read", (403, 10000)),
        ("POST", "/certificates", "SSL and Certificates:Edit", (403, 1016)),
        ("GET", RULESETS, "Cache Rules:Read", (403, 10000)),
        ("PUT", f"{RULESETS}/phases/http_request_origin/entrypoint", "Origin Rules:Edit", (403, 10000)),
        ("GET", f"/zones/{ZONE_ID}/pagerules", "Page Rules:Read", (403, 9109)),
        ("GET", f"/zones/{ZONE_ID}/pagerules", "Zone:Read", (403, 9109)),
        ("GET", f"/zones/{ZONE_ID}/workers/routes", "Workers Routes:Read", (403, 10000)),
        ("POST", RULESETS, "Zone WAF:Edit", (403, 10000)),
        ("GET", f"/accounts/{ACCOUNT['id']}/workers/subdomain", "Workers Scripts:Read", (403, 10000)),
        ("PUT", f"/accounts/{ACCOUNT['id']}/workers/scripts/a/schedules", "Workers Scripts:Edit", (403, 10000)),
    ],
)
def test_a_request_needs_a_permission_group(
    tmp_path: Path, method: str, path: str, permission: str, expected: tuple[int, int]
) -> None:
    group, _, level = permission.partition(":")
    body: dict[str, Any] | None = None if method == "GET" else {}
    assert error(with_permissions(tmp_path, "Workers KV Storage:Edit")(method, path, body)) == expected
    assert with_permissions(tmp_path, permission)(method, path, body).status in (200, 400, 404)
    assert with_permissions(tmp_path, f"{group}:Edit")(method, path, body).status in (200, 400, 404)
    if level == "Edit":
        assert error(with_permissions(tmp_path, f"{group}:Read")(method, path, body)) == expected


def test_a_token_without_zone_read_lists_no_zones(tmp_path: Path) -> None:
    assert result(with_permissions(tmp_path, "DNS:Edit")("GET", "/zones")) == []
    assert names(with_permissions(tmp_path, "Zone:Read")("GET", "/zones")) == [ZONE]


def test_a_token_may_send_1200_requests_in_five_minutes(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (access.REQUESTS, access.WINDOW_SECONDS) == (1200, 300)
    first = api("GET", "/user/tokens/verify")
    assert first.headers["Ratelimit"] == '"default";r=1199;t=300'
    assert first.headers["Ratelimit-Policy"] == '"default";q=1200;w=300'
    assert "Retry-After" not in first.headers
    monkeypatch.setattr(access, "REQUESTS", 3)
    assert [api("GET", "/user/tokens/verify").status for _ in range(3)] == [200, 200, 429]
    limited = api("POST", RECORDS, RECORD)
    assert error(limited) == (429, 971)
    assert 0 < int(limited.headers["Retry-After"]) <= 300
    assert state(tmp_path, "cloudflare").of("dns_records") == {}
    monkeypatch.setattr(access, "WINDOW_SECONDS", 0.0)
    assert api("GET", "/user/tokens/verify").status == 200
