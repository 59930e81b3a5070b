"""Cloudflare's published address ranges, the only source of HTTPS traffic that the firewall allows."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network

import pulumi

from infra.sdk import cloudflare


@dataclass(frozen=True, kw_only=True)
class CloudflareRanges:
    """The current ranges in canonical form and numeric order, so that another order in the response is not a diff."""

    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        return self.ipv4 + self.ipv6


def canonical(cidrs: Iterable[str]) -> tuple[str, ...]:
    """The same networks in Hetzner's notation, sorted."""
    return tuple(
        str(network)
        for network in sorted(
            {ip_network(cidr, strict=False) for cidr in cidrs}, key=lambda network: network.network_address
        )
    )


def cloudflare_ranges(provider: cloudflare.Provider) -> CloudflareRanges:
    """Reads the ranges while planning, so that a range that Cloudflare adds is a change of the firewall.

    Raises a RunError when the response is empty, because a firewall without ranges would block the site.
    """
    response = cloudflare.get_ip_ranges(opts=pulumi.InvokeOptions(provider=provider))
    ranges = CloudflareRanges(ipv4=canonical(response.ipv4_cidrs), ipv6=canonical(response.ipv6_cidrs))
    if not ranges.ipv4 or not ranges.ipv6:
        raise pulumi.RunError(
            f"Cloudflare returned {len(ranges.ipv4)} IPv4 and {len(ranges.ipv6)} IPv6 ranges; at least one of each was "
            "expected. Nothing was changed, because a firewall without them would block the site. Try again, or see "
            "https://www.cloudflare.com/ips/."
        )
    return ranges
