"""The address ranges of Cloudflare's proxies (https://developers.cloudflare.com/api/resources/ips/). Needs no token."""

from __future__ import annotations

import hashlib

from ..cloud import current
from ..vendor import Answer
from .answers import blueprint, result


@blueprint.get("/ips")
def list_ips() -> Answer:
    """The ranges that the world chose, or those that Cloudflare publishes."""
    ranges = current().account.ip_ranges
    ipv4, ipv6 = list(ranges.ipv4_cidrs), list(ranges.ipv6_cidrs)
    etag = hashlib.sha256("\n".join([*ipv4, *ipv6]).encode()).hexdigest()[:32]
    return result({"ipv4_cidrs": ipv4, "ipv6_cidrs": ipv6, "etag": etag})
