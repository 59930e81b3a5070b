"""Hetzner Cloud API v1: lists of resources, with the filters that the clients use."""

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
    """The status and content for a request. A list has one page."""
    token = _COLLECTIONS.get(path)
    if token is None:
        return _error(404, "not_found", f"the rehearsal does not serve {path}")
    filters = {field: query[name] for name, field in _FILTERS.items() if name in query}
    cloud = state(folder, "hcloud")
    subnets = list(cloud.of("hcloud:index/networkSubnet:NetworkSubnet").values())
    resources = [
        _api_object(path, id_, live, subnets)
        for id_, live in cloud.of(token).items()
        if all(live.get(field) == value for field, value in filters.items())
    ]
    pages = {
        "page": 1,
        "per_page": 50,
        "previous_page": None,
        "next_page": None,
        "last_page": 1,
        "total_entries": len(resources),
    }
    return 200, {path: resources, "meta": {"pagination": pages}}


def _api_object(path: str, id_: str, live: Props, subnets: Sequence[Props]) -> Mapping[str, Any]:
    common = {"id": int(id_), "name": live["name"], "labels": live.get("labels") or {}}
    match path:
        case "primary_ips":
            assignment = {
                "assignee_id": live.get("assigneeId") or None,
                "assignee_type": "server",
                "auto_delete": live.get("autoDelete", False),
            }
            return {**common, "ip": live["ipAddress"], "type": live["type"], **assignment}
        case "ssh_keys":
            return {**common, "fingerprint": live["fingerprint"], "public_key": live["publicKey"]}
        case "placement_groups":
            return {**common, "type": live["type"], "servers": live["servers"]}
        case "networks":
            members = [
                {"ip_range": subnet["ipRange"], "type": subnet["type"]}
                for subnet in subnets
                if str(subnet["networkId"]) == id_
            ]
            return {**common, "ip_range": live["ipRange"], "subnets": members, "routes": [], "servers": []}
        case "servers":
            return {**common, "status": live["status"]}
        case _:
            return common
