"""Lists of the Hetzner Cloud API v1, filtered as its clients filter them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ..existing import state
from ..values import Props

Answer = tuple[int, Mapping[str, Any]]

_COLLECTIONS: Final = {
    "firewalls": "hcloud:index/firewall:Firewall",
    "networks": "hcloud:index/network:Network",
    "placement_groups": "hcloud:index/placementGroup:PlacementGroup",
    "primary_ips": "hcloud:index/primaryIp:PrimaryIp",
    "servers": "hcloud:index/server:Server",
    "ssh_keys": "hcloud:index/sshKey:SshKey",
}
_FILTERS: Final = {"name": "name", "ip": "ipAddress", "fingerprint": "fingerprint"}


def _error(status: int, code: str, message: str) -> Answer:
    return status, {"error": {"code": code, "message": message, "details": None}}


UNAUTHORIZED: Final = _error(401, "unauthorized", "unable to authenticate")


def answer(folder: Path, path: str, query: Mapping[str, str]) -> Answer:
    """A whole list on its first page."""
    token = _COLLECTIONS.get(path)
    if token is None:
        return _error(404, "not_found", f"the rehearsal does not serve {path}")
    filters = {field: query[name] for name, field in _FILTERS.items() if name in query}
    held = state(folder, "hcloud")
    subnets = list(held.of("hcloud:index/networkSubnet:NetworkSubnet").values())
    things = [
        _told(path, id_, live, subnets)
        for id_, live in held.of(token).items()
        if all(live.get(field) == value for field, value in filters.items())
    ]
    pages = {
        "page": 1,
        "per_page": 50,
        "previous_page": None,
        "next_page": None,
        "last_page": 1,
        "total_entries": len(things),
    }
    return 200, {path: things, "meta": {"pagination": pages}}


def _told(path: str, id_: str, live: Props, subnets: Sequence[Props]) -> Mapping[str, Any]:
    about = {"id": int(id_), "name": live["name"], "labels": live.get("labels") or {}}
    match path:
        case "primary_ips":
            assigned = {
                "assignee_id": live.get("assigneeId") or None,
                "assignee_type": "server",
                "auto_delete": live.get("autoDelete", False),
            }
            return {**about, "ip": live["ipAddress"], "type": live["type"], **assigned}
        case "ssh_keys":
            return {**about, "fingerprint": live["fingerprint"], "public_key": live["publicKey"]}
        case "placement_groups":
            return {**about, "type": live["type"], "servers": live["servers"]}
        case "networks":
            inside = [
                {"ip_range": one["ipRange"], "type": one["type"]} for one in subnets if str(one["networkId"]) == id_
            ]
            return {**about, "ip_range": live["ipRange"], "subnets": inside, "routes": [], "servers": []}
        case "servers":
            return {**about, "status": live["status"]}
        case _:
            return about
