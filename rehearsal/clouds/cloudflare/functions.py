"""The functions of the Cloudflare provider that the program may ask."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

from ..kinds import ApiError, Cloud
from ..values import Props
from . import rules


def _ip_ranges(cloud: Cloud, _: Props) -> Props:
    ranges = cloud.account.ip_ranges
    ipv4, ipv6 = list(ranges.ipv4_cidrs), list(ranges.ipv6_cidrs)
    etag = hashlib.sha256("\n".join([*ipv4, *ipv6]).encode()).hexdigest()[:32]
    return {"etag": etag, "ipv4Cidrs": ipv4, "ipv6Cidrs": ipv6, "jdcloudCidrs": []}


def _zone(cloud: Cloud, arguments: Props) -> Props:
    zones = rules.zones(cloud)
    wanted_id, wanted_name = arguments.get("zoneId"), (arguments.get("filter") or {}).get("name")
    if not wanted_id and not wanted_name:
        raise ApiError("getZone needs a zoneId or a filter with a name")
    hits = {id_: name for id_, name in zones.items() if (id_ == wanted_id if wanted_id else name == wanted_name)}
    if len(hits) != 1:
        held = ", ".join(sorted(zones.values())) or "none"
        raise ApiError(f"found no zone {wanted_id or wanted_name} in the account; its zones are: {held}")
    id_, name = hits.popitem()
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
