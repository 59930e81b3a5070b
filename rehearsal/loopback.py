"""Addresses of loopback that stand for a world's public and private ones, so that its machines can really listen on them."""

import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class LoopbackRanges:
    """Of one world: where its machines are reached from outside, and where they reach each other."""

    public: IPv4Network
    private: IPv4Network

    def loopback_address(self, address: IPv4Address) -> IPv4Address:
        """What stands for a private address: the one with the same end."""
        return self.private[address.packed[-1]]


def loopback_ranges(world: Path) -> LoopbackRanges:
    """The same for a world's whole life; those of two worlds differ, but for one case in 32 000."""
    first, second = hashlib.sha256(str(world).encode()).digest()[:2]
    # 127.0 is everybody's.
    public = IPv4Network(f"127.{1 + first % 254}.{second & 0xFE}.0/24")
    return LoopbackRanges(public=public, private=IPv4Network((int(public.network_address) + 256, 24)))
