"""The simulated Hetzner Cloud.

Replacements, sets and checks follow terraform-provider-hcloud 1.66 (github.com/hetznercloud/terraform-provider-hcloud,
internal/*/resource.go). Limits and API errors follow https://docs.hetzner.cloud/reference/cloud.
"""

from collections.abc import Mapping
from typing import Final

from ..kinds import Kind
from . import addresses, firewalls, networks, servers, ssh_keys
from .functions import FUNCTIONS as FUNCTIONS

KINDS: Final[Mapping[str, Kind]] = {
    kind.type: kind for module in (addresses, firewalls, networks, servers, ssh_keys) for kind in module.KINDS
}
