"""Requests that several tests of the simulated Cloudflare API send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rehearsal.clouds.account import Account, Token, write_account
from tests.unit.clouds.api import ZONE, ZONE_ID, Api, Response

RECORDS = f"/zones/{ZONE_ID}/dns_records"
SETTINGS = f"/zones/{ZONE_ID}/settings"
CLIENT_CERTIFICATES = f"/zones/{ZONE_ID}/origin_tls_client_auth"
RULESETS = f"/zones/{ZONE_ID}/rulesets"
UNKNOWN_ID = "0" * 32
ADDRESS = "178.104.247.152"
RECORD: dict[str, Any] = {"name": f"api.{ZONE}", "type": "A", "content": ADDRESS, "ttl": 1, "proxied": True}
CACHE_RULES: dict[str, Any] = {
    "name": "cache",
    "kind": "zone",
    "phase": "http_request_cache_settings",
    "rules": [{"action": "set_cache_settings", "expression": "true", "action_parameters": {"cache": True}}],
}


def error(response: Response) -> tuple[int, int]:
    """The HTTP status and Cloudflare's error code of a response."""
    assert response.json["success"] is False
    assert response.json["result"] is None
    return response.status, response.json["errors"][0]["code"]


def result(response: Response) -> Any:
    assert response.status == 200, response.json
    assert response.json["success"] is True
    assert response.json["errors"] == []
    return response.json["result"]


def names(response: Response) -> list[str]:
    return [item["name"] for item in result(response)]


def with_permissions(folder: Path, *permissions: str) -> Api:
    """The API for a token with these permissions."""
    tokens = [Token("cloudflare", "limited", permissions), Token("hetzner", "other-vendor", ("read", "write"))]
    write_account(folder, Account(zones={ZONE: ZONE_ID}, tokens=tokens))
    return Api("cloudflare", folder, token="limited")
