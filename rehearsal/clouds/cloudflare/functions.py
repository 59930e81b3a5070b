"""The functions of the Cloudflare provider."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

from ..kinds import ApiError, Cloud
from ..values import Props
from . import common


def _ip_ranges(cloud: Cloud, _: Props) -> Props:
    ranges = cloud.account.ip_ranges
    ipv4, ipv6 = list(ranges.ipv4_cidrs), list(ranges.ipv6_cidrs)
    etag = hashlib.sha256("\n".join([*ipv4, *ipv6]).encode()).hexdigest()[:32]
    return {"etag": etag, "ipv4Cidrs": ipv4, "ipv6Cidrs": ipv6, "jdcloudCidrs": []}


def _zone(cloud: Cloud, arguments: Props) -> Props:
    zones = common.zones(cloud)
    zone_id, zone_name = arguments.get("zoneId"), (arguments.get("filter") or {}).get("name")
    if not zone_id and not zone_name:
        raise ApiError("getZone requires a zoneId or a filter with a name")
    matches = {id_: name for id_, name in zones.items() if (id_ == zone_id if zone_id else name == zone_name)}
    if len(matches) != 1:
        names = ", ".join(sorted(zones.values())) or "none"
        raise ApiError(f"found no zone {zone_id or zone_name} in the account; its zones are: {names}")
    id_, name = matches.popitem()
    return {
        "id": id_,
        "zoneId": id_,
        "name": name,
        "status": "active",
        "type": "full",
        "paused": False,
        "developmentMode": 0,
        "nameServers": ["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"],
    }


FUNCTIONS: Final[Mapping[str, Callable[[Cloud, Props], Props]]] = {
    "cloudflare:index/getIpRanges:getIpRanges": _ip_ranges,
    "cloudflare:index/getZone:getZone": _zone,
}
