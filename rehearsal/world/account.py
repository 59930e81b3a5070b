"""What already exists at the clouds when a world begins."""

import hashlib
import json
from collections.abc import Mapping

from rehearsal.engine.configuration import StackSettings
from rehearsal.layout import Layout
from rehearsal.loopback import loopback_ranges
from rehearsal.world.bootstrapped_cluster import BootstrappedCluster


def write(layout: Layout, stack: StackSettings) -> None:
    """The addresses that the settings name, or the range that servers get theirs from, and the zone."""
    # Here and not above: it imports a provider's SDK, which most commands do not need.
    from infra.machines.addresses import primary_ip_name  # noqa: PLC0415

    zones = {stack.domain: hashlib.sha256(stack.domain.encode()).hexdigest()[:32]}
    if stack.bootstrapped:
        servers = {
            "ipv4_range": str(loopback_ranges(layout.folder).public),
            "machines": BootstrappedCluster(layout).machine_command,
        }
        account: Mapping[str, object] = {"zones": zones, **servers}
    else:
        held = {primary_ip_name(alias): node.ipv4 for alias, node in stack.nodes.items() if node.ipv4}
        account = {"zones": zones, "addresses": held}
    (layout.clouds / "account.json").write_text(json.dumps(account, indent=2))
