"""Writes the resources that exist in the simulated clouds before the Pulumi program runs."""

import hashlib
import json
from collections.abc import Mapping

from infra.names import primary_ip_name
from ops import permissions
from rehearsal.engine.configuration import StackSettings
from rehearsal.engine.placeholders import placeholder
from rehearsal.layout import Layout
from rehearsal.loopback import loopback_ranges
from rehearsal.machines import kwok
from rehearsal.world.bootstrapped_cluster import BootstrappedCluster

TOKEN_PERMISSIONS = tuple(f"{group}:{level}" for group, level in {**permissions.ALL, **permissions.UPTIME}.items())
"""The permission groups of Cloudflare that docs/runbook.md asks for."""


def write(layout: Layout, stack: StackSettings, *, real_nodes: bool) -> None:
    """Writes `account.json`: the zone, and either the servers' existing addresses or the range for new ones.

    The servers of an existing cluster join it as simulated nodes. Real nodes boot with the world.
    """
    zones = {stack.domain: hashlib.sha256(stack.domain.encode()).hexdigest()[:32]}
    if stack.bootstrapped:
        servers: Mapping[str, object] = {
            "ipv4_range": str(loopback_ranges(layout.folder).public),
            "machines": BootstrappedCluster(layout).machine_command,
        }
    else:
        servers = {
            "addresses": {primary_ip_name(alias): node.ipv4 for alias, node in stack.nodes.items() if node.ipv4},
            "machines": [] if real_nodes else kwok.MACHINE_COMMAND,
        }
    tokens = [
        {"vendor": "hetzner", "value": placeholder("hetznerToken", layout.pki), "rights": ["read", "write"]},
        {"vendor": "cloudflare", "value": placeholder("cloudflareToken", layout.pki), "rights": TOKEN_PERMISSIONS},
        {"vendor": "registry", "value": placeholder("registryPassword", layout.pki), "rights": ["pull", "push"]},
    ]
    (layout.clouds / "account.json").write_text(json.dumps({"zones": zones, "tokens": tokens, **servers}, indent=2))
