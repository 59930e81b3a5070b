"""The simulated account before the program runs: `$HONEYDUE_WORLD/clouds/account.json`.

The world writes this file and the clouds read it. Every key is optional.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from infra.published_ranges import PUBLISHED_IPV4, PUBLISHED_IPV6


@dataclass(frozen=True)
class IpRanges:
    """The IP ranges that Cloudflare publishes."""

    ipv4_cidrs: Sequence[str] = PUBLISHED_IPV4
    ipv6_cidrs: Sequence[str] = PUBLISHED_IPV6


# Addresses for documentation (RFC 5737): no real host uses them.
IPV4_RANGE: Final = "203.0.113.0/24"


@dataclass(frozen=True)
class Token:
    """An API token and its permissions.

    Attributes:
        vendor: `hetzner`, `cloudflare` or `registry`, whose token is a password.
        rights: of Hetzner `read` and `write`; of Cloudflare the permission groups, such as `DNS:Edit`; of the registry
            `pull` and `push`.
    """

    vendor: str
    value: str
    rights: Sequence[str]


@dataclass(frozen=True)
class Account:
    """The simulated account.

    Attributes:
        addresses: the addresses that the account assigns, by the name of the primary IP, or of the server that gets an
            address of its own. All others come from `ipv4_range`.
        zones: the ids of its zones by domain.
        machines: a command that is called when something happens to a server (hetzner/power.py). Without one, a server
            is only an object of the API.
        sold_out: the server types of Hetzner that are sold out, by location.
        limits: how many objects the project may have, by collection of Hetzner's API, such as `servers`.
    """

    addresses: Mapping[str, str] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)
    ip_ranges: IpRanges = field(default_factory=IpRanges)
    ipv4_range: str = IPV4_RANGE
    machines: Sequence[str] = ()
    tokens: Sequence[Token] = ()
    sold_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)


def read_account(folder: Path) -> Account:
    """The account in this folder of clouds; an empty account without the file."""
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
        tokens=[Token(**token) for token in raw.get("tokens", ())],
        sold_out=raw.get("sold_out", {}),
        limits=raw.get("limits", {}),
        ip_ranges=IpRanges(ranges.get("ipv4_cidrs", ()), ranges.get("ipv6_cidrs", ()))
        if ranges is not None
        else IpRanges(),
    )


def write_account(folder: Path, account: Account) -> None:
    """Writes the account to this folder of clouds."""
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / "account.json.new"
    scratch.write_text(json.dumps(asdict(account), indent=1) + "\n", encoding="utf-8")
    scratch.replace(folder / "account.json")
