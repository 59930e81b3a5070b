"""Resource types that the program does not declare: the plugin checks and compares them, and sends no requests."""

from __future__ import annotations

from typing import Final

from ..kinds import Kind

KINDS: Final = (
    Kind(
        type="cloudflare:index/zone:Zone",
        dialect="framework",
        replaces=frozenset({"account", "name"}),
        defaults={"type": "full", "paused": False},
        computed=frozenset({"vanityNameServers"}),
    ),
    Kind(
        type="cloudflare:index/zoneDnssec:ZoneDnssec",
        dialect="framework",
        replaces=frozenset({"zoneId"}),
        computed=frozenset({"status"}),
    ),
    Kind(
        type="cloudflare:index/tieredCache:TieredCache",
        dialect="framework",
        replaces=frozenset({"zoneId"}),
    ),
    Kind(
        type="cloudflare:index/authenticatedOriginPulls:AuthenticatedOriginPulls",
        dialect="framework",
        replaces=frozenset({"zoneId"}),
        secrets=frozenset({"privateKey"}),
    ),
)
