"""Cloudflare's API v4: the records and settings of a zone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ..catalog import provider
from ..existing import state
from ..values import PropertyMap, Props

Answer = tuple[int, Mapping[str, Any]]

_RECORD: Final = "cloudflare:index/dnsRecord:DnsRecord"
_SETTING: Final = "cloudflare:index/zoneSetting:ZoneSetting"
_ORIGIN_PULLS: Final = "cloudflare:index/authenticatedOriginPullsSettings:AuthenticatedOriginPullsSettings"


def _error(status: int, code: int, message: str) -> Answer:
    return status, {"success": False, "errors": [{"code": code, "message": message}], "messages": [], "result": None}


UNAUTHORIZED: Final = _error(401, 10000, "Authentication error")


def answer(folder: Path, path: str, query: Mapping[str, str]) -> Answer:
    """The status and content for a request."""
    if match := re.fullmatch(r"zones/(\w+)/dns_records", path):
        return _records(folder, match[1], query)
    if match := re.fullmatch(r"zones/(\w+)/settings/(\w+)", path):
        live = _live(folder, _SETTING, f"{match[1]}/{match[2]}")
        return (
            _result({"id": match[2], "value": live["value"], "editable": True})
            if live
            else _error(400, 1003, "Undefined zone setting")
        )
    if match := re.fullmatch(r"zones/(\w+)/origin_tls_client_auth/settings", path):
        live = _live(folder, _ORIGIN_PULLS, match[1])
        return _result({"enabled": live["enabled"]}) if live else _no_route(path)
    return _no_route(path)


def _records(folder: Path, zone: str, query: Mapping[str, str]) -> Answer:
    records = [
        {"id": id_, **{key: live.get(key) for key in ("name", "type", "content", "proxied", "ttl")}}
        for id_, live in state(folder, "cloudflare").of(_RECORD).items()
        if live["zoneId"] == zone and query.get("name.exact", live["name"]) == live["name"]
    ]
    # The client requests pages until it gets an empty one.
    page = records if query.get("page", "1") == "1" else []
    status, content = _result(page)
    return status, {
        **content,
        "result_info": {"page": 1, "count": len(page), "total_count": len(records), "total_pages": 1},
    }


def _live(folder: Path, token: str, id_: str) -> Props | None:
    result = provider("cloudflare", folder=folder).read(token, id_, PropertyMap({}), PropertyMap({}))
    return result.properties.values if result else None


def _result(result: object) -> Answer:
    return 200, {"success": True, "errors": [], "messages": [], "result": result}


def _no_route(path: str) -> Answer:
    return _error(404, 7003, f"Could not route to /client/v4/{path}, perhaps your object identifier is invalid?")
