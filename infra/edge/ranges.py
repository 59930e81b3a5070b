"""Cloudflare's published address ranges, the only place web traffic may come from."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network

import pulumi

from infra.sdk import cloudflare


@dataclass(frozen=True, kw_only=True)
class CloudflareRanges:
    """The ranges in force, canonical and in numeric order, so that another order in the answer is no diff."""

    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        return self.ipv4 + self.ipv6


def canonical(cidrs: Iterable[str]) -> tuple[str, ...]:
    """The same networks as Hetzner writes them, sorted."""
    return tuple(
        str(network)
        for network in sorted(
            {ip_network(cidr, strict=False) for cidr in cidrs}, key=lambda network: network.network_address
        )
    )


def cloudflare_ranges(provider: cloudflare.Provider) -> CloudflareRanges:
    """Reads the ranges at plan time, so that a range Cloudflare adds shows as a change of the firewall: the monthly refresh (book ch20).

    Raises a RunError when the answer is empty: a firewall made of it would close the site.
    """
    answer = cloudflare.get_ip_ranges(opts=pulumi.InvokeOptions(provider=provider))
    ranges = CloudflareRanges(ipv4=canonical(answer.ipv4_cidrs), ipv6=canonical(answer.ipv6_cidrs))
    if not ranges.ipv4 or not ranges.ipv6:
        raise pulumi.RunError(
            f"Cloudflare answered with {len(ranges.ipv4)} IPv4 and {len(ranges.ipv6)} IPv6 ranges; some of both were expected. "
            "Nothing was changed, as a firewall without them would close the site. Try again, or see https://www.cloudflare.com/ips/."
        )
    return ranges
