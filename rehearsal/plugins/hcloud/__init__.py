"""The simulated hcloud plugin: its resources as requests to the Hetzner Cloud API.

Replacements, sets, checks and requests follow terraform-provider-hcloud 1.68.
Source: https://github.com/hetznercloud/terraform-provider-hcloud
"""

from collections.abc import Mapping
from typing import Final

from ..kinds import Kind
from . import checked, firewalls, networks, placement_groups, primary_ips, servers, ssh_keys
from .functions import FUNCTIONS as FUNCTIONS
from .vendor import VENDOR as VENDOR

KINDS: Final[Mapping[str, Kind]] = {
    kind.type: kind
    for kind in (
        firewalls.KIND,
        networks.NETWORK,
        networks.SUBNET,
        placement_groups.KIND,
        primary_ips.KIND,
        servers.KIND,
        ssh_keys.KIND,
        *checked.KINDS,
    )
}
