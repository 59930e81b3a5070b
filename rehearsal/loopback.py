"""Loopback addresses for the servers of a world, and requests to them, which never go through a proxy.

Simulated machines listen on these addresses as if they were Hetzner's.
"""

import hashlib
import ssl
import urllib.request
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

LOOPBACK = "127.0.0.1"
PROXY_VARIABLES = frozenset({"http_proxy", "https_proxy", "all_proxy"})
"""In lower case. Programs also read them in upper case."""
NO_PROXY_VARIABLES = ("no_proxy", "NO_PROXY")


@dataclass(frozen=True, kw_only=True)
class LoopbackRanges:
    """The two ranges of one world: `public` for public IPv4 addresses, `private` for the private network."""

    public: IPv4Network
    private: IPv4Network

    def loopback_address(self, private_address: IPv4Address) -> IPv4Address:
        """The loopback address for a private address: the one with the same last byte."""
        return self.private[private_address.packed[-1]]


def loopback_ranges(world: Path) -> LoopbackRanges:
    """Derives constant ranges from the world's folder. Two worlds have the same ones in 1 of 32,000 cases."""
    first, second = hashlib.sha256(str(world).encode()).digest()[:2]
    # Not 127.0.0.0/16: other programs of this machine listen there.
    public = IPv4Network(f"127.{1 + first % 254}.{second & 0xFE}.0/24")
    return LoopbackRanges(public=public, private=IPv4Network((int(public.network_address) + 256, 24)))


def without_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without proxies, for a process that only sends requests to the world.

    NO_PROXY would not suffice: Python's urllib and httpx compare it with host names, and a world has many addresses.
    """
    return {name: value for name, value in environment.items() if name.lower() not in PROXY_VARIABLES}


def exclude_from_proxies(environment: MutableMapping[str, str]) -> None:
    """Exclude the simulated clouds from the proxies of this process, which still downloads programs through them."""
    for name in NO_PROXY_VARIABLES:
        hosts = [host for host in environment.get(name, "").split(",") if host]
        environment[name] = ",".join(dict.fromkeys([*hosts, LOOPBACK, "localhost"]))


def probe(url: str, *, timeout: float, tls: ssl.SSLContext | None = None) -> None:
    """Request a URL of the world without a proxy. Raises an OSError (URLError is one) unless it succeeds."""
    handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)]
    with urllib.request.build_opener(*handlers).open(url, timeout=timeout):
        pass
