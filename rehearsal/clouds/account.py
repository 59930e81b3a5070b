"""The settings of the simulated account: `$HONEYDUE_WORLD/clouds/account.json`.

The world writes the file and the providers read it. Every key is optional.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

WORLD_VARIABLE: Final = "HONEYDUE_WORLD"

# From https://www.cloudflare.com/ips-v4 and /ips-v6, unchanged since 2021-04.
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
    """The address ranges from which Cloudflare connects to origins."""

    ipv4_cidrs: Sequence[str] = CLOUDFLARE_IPV4
    ipv6_cidrs: Sequence[str] = CLOUDFLARE_IPV6


# Reserved for documentation (RFC 5737): no host on the internet has such an address.
IPV4_RANGE: Final = "203.0.113.0/24"


@dataclass(frozen=True)
class Account:
    """The settings of the account."""

    addresses: Mapping[str, str] = field(default_factory=dict)
    """The address by the name of the primary IP, or of the server whose primary IP is created automatically."""
    zones: Mapping[str, str] = field(default_factory=dict)
    """The id of each existing zone by its domain."""
    ip_ranges: IpRanges = field(default_factory=IpRanges)
    ipv4_range: str = IPV4_RANGE
    """The range of all other addresses."""
    machines: Sequence[str] = ()
    """The command that boots and removes the machines of servers (hetzner/power.py). Without it, servers have none."""


def clouds_folder(world: Path | None = None) -> Path:
    """The folder with the files of the clouds of a world. The default is the world in the environment."""
    if world is None:
        path = os.environ.get(WORLD_VARIABLE)
        if not path:
            raise LookupError(f"{WORLD_VARIABLE} is not set: a simulated cloud needs the folder of its world")
        world = Path(path)
    return world / "clouds"


def read_account(folder: Path) -> Account:
    """The settings in this folder, or the defaults if the file does not exist."""
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
    """Replaces the settings of the account."""
    folder.mkdir(parents=True, exist_ok=True)
    new_file = folder / "account.json.new"
    new_file.write_text(json.dumps(asdict(account), indent=1) + "\n", encoding="utf-8")
    new_file.replace(folder / "account.json")
