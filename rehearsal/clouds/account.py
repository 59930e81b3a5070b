"""What the simulated account holds before the program runs: `$HONEYDUE_WORLD/clouds/account.json`.

Written by the world, read by the providers; every key of the file is optional.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

WORLD_VARIABLE: Final = "HONEYDUE_WORLD"

# https://www.cloudflare.com/ips-v4 and /ips-v6, as published (unchanged since 2021-04).
CLOUDFLARE_IPV4: Final = (
    "173.245.48.0/20",
    "103.21.244.0/22",
    "103.22.200.0/22",
    "103.31.4.0/22",
    "141.101.64.0/18",
    "108.162.192.0/18",
    "190.93.240.0/20",
    "188.114.96.0/20",
    "197.234.240.0/22",
    "198.41.128.0/17",
    "162.158.0.0/15",
    "104.16.0.0/13",
    "104.24.0.0/14",
    "172.64.0.0/13",
    "131.0.72.0/22",
)
CLOUDFLARE_IPV6: Final = (
    "2400:cb00::/32",
    "2606:4700::/32",
    "2803:f800::/32",
    "2405:b500::/32",
    "2405:8100::/32",
    "2a06:98c0::/29",
    "2c0f:f248::/32",
)


@dataclass(frozen=True)
class IpRanges:
    """The ranges Cloudflare says it connects from."""

    ipv4_cidrs: Sequence[str] = CLOUDFLARE_IPV4
    ipv6_cidrs: Sequence[str] = CLOUDFLARE_IPV6


# Addresses for documentation (RFC 5737): nothing real answers on them.
IPV4_RANGE: Final = "203.0.113.0/24"


@dataclass(frozen=True)
class Account:
    """The account: what it holds, and what stands for the machines behind its servers.

    `addresses` are handed out by name of the primary IP, or of the server that gets one of its own; others from `ipv4_range`.
    `zones` are ids by domain. `machines` is a command that is told what happens to servers (hetzner/power.py); without one, a
    server is an entry in a list.
    """

    addresses: Mapping[str, str] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)
    ip_ranges: IpRanges = field(default_factory=IpRanges)
    ipv4_range: str = IPV4_RANGE
    machines: Sequence[str] = ()


def clouds_folder(world: Path | None = None) -> Path:
    """Where the clouds of a world keep their files; without an argument, of the world named by the environment."""
    if world is None:
        named = os.environ.get(WORLD_VARIABLE)
        if not named:
            raise LookupError(f"{WORLD_VARIABLE} is not set: a simulated cloud needs the folder of its world")
        world = Path(named)
    return world / "clouds"


def read_account(folder: Path) -> Account:
    """The account in this folder of clouds; an empty one where the file is missing."""
    try:
        raw: dict[str, Any] = json.loads((folder / "account.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Account()
    ranges = raw.get("ip_ranges")
    return Account(
        addresses=raw.get("addresses", {}),
        ipv4_range=raw.get("ipv4_range", IPV4_RANGE),
        machines=raw.get("machines", ()),
        zones=raw.get("zones", {}),
        ip_ranges=IpRanges(ranges.get("ipv4_cidrs", ()), ranges.get("ipv6_cidrs", ()))
        if ranges is not None
        else IpRanges(),
    )


def write_account(folder: Path, account: Account) -> None:
    """Say what the account holds."""
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / "account.json.new"
    scratch.write_text(json.dumps(asdict(account), indent=1) + "\n", encoding="utf-8")
    scratch.replace(folder / "account.json")
