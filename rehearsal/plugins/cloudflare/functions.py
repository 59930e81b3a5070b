"""The functions of the provider that the program may call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ..client import ApiError, Client
from ..values import Props
from .names import properties


def _ip_ranges(client: Client, _: Props) -> Props:
    return {"jdcloudCidrs": [], **properties(client.get("ips"))}


def _zone(client: Client, arguments: Props) -> Props:
    zone_id, query = arguments.get("zoneId"), arguments.get("filter")
    if query:
        zones = client.get("zones", dict(sorted(query.items())))
        if len(zones) != 1:
            raise ApiError(f"failed to find exactly one result: {len(zones)} found")
        zone_id = zones[0]["id"]
    if not zone_id:
        raise ApiError("Invalid zone configuration: empty or null zone ID")
    zone = client.get(f"zones/{zone_id}")
    return {**properties(zone), "id": zone_id, "zoneId": zone_id}


FUNCTIONS: Final[Mapping[str, Callable[[Client, Props], Props]]] = {
    "cloudflare:index/getIpRanges:getIpRanges": _ip_ranges,
    "cloudflare:index/getZone:getZone": _zone,
}
