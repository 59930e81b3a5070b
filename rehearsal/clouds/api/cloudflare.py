"""Records and settings of a zone, as Cloudflare's API v4 tells them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ..catalog import provider
from ..existing import state
from ..values import Bag, Props

Answer = tuple[int, Mapping[str, Any]]

_RECORD: Final = "cloudflare:index/dnsRecord:DnsRecord"
_SETTING: Final = "cloudflare:index/zoneSetting:ZoneSetting"
_ORIGIN_PULLS: Final = "cloudflare:index/authenticatedOriginPullsSettings:AuthenticatedOriginPullsSettings"


def _error(status: int, code: int, message: str) -> Answer:
    return status, {"success": False, "errors": [{"code": code, "message": message}], "messages": [], "result": None}


UNAUTHORIZED: Final = _error(401, 10000, "Authentication error")


def answer(folder: Path, path: str, query: Mapping[str, str]) -> Answer:
    """What is there, or Cloudflare's error."""
    if found := re.fullmatch(r"zones/(\w+)/dns_records", path):
        return _records(folder, found[1], query)
    if found := re.fullmatch(r"zones/(\w+)/settings/(\w+)", path):
        live = _live(folder, _SETTING, f"{found[1]}/{found[2]}")
        return (
            _result({"id": found[2], "value": live["value"], "editable": True})
            if live
            else _error(400, 1003, "Undefined zone setting")
        )
    if found := re.fullmatch(r"zones/(\w+)/origin_tls_client_auth/settings", path):
        live = _live(folder, _ORIGIN_PULLS, found[1])
        return _result({"enabled": live["enabled"]}) if live else _no_route(path)
    return _no_route(path)


def _records(folder: Path, zone: str, query: Mapping[str, str]) -> Answer:
    records = [
        {"id": id_, **{key: live.get(key) for key in ("name", "type", "content", "proxied", "ttl")}}
        for id_, live in state(folder, "cloudflare").of(_RECORD).items()
        if live["zoneId"] == zone and query.get("name.exact", live["name"]) == live["name"]
    ]
    # The client asks for pages until one is empty.
    shown = records if query.get("page", "1") == "1" else []
    status, content = _result(shown)
    return status, {
        **content,
        "result_info": {"page": 1, "count": len(shown), "total_count": len(records), "total_pages": 1},
    }


def _live(folder: Path, token: str, id_: str) -> Props | None:
    found = provider("cloudflare", folder=folder).read(token, id_, Bag({}), Bag({}))
    return found.properties.values if found else None


def _result(result: object) -> Answer:
    return 200, {"success": True, "errors": [], "messages": [], "result": result}


def _no_route(path: str) -> Answer:
    return _error(404, 7003, f"Could not route to /client/v4/{path}, perhaps your object identifier is invalid?")
