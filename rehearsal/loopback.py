"""Loopback addresses for the servers of a world. Simulated machines listen on them as if they were Hetzner's."""

import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

LOOPBACK = "127.0.0.1"


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
