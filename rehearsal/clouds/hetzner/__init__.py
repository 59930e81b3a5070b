"""The simulated Hetzner Cloud.

Replacements, sets and checks follow terraform-provider-hcloud 1.66 (github.com/hetznercloud/terraform-provider-hcloud,
internal/*/resource.go); limits and refusals follow the API (https://docs.hetzner.cloud/reference/cloud).
"""

from collections.abc import Mapping
from typing import Final

from ..kinds import Kind
from . import addresses, firewalls, networks, servers, volumes
from .functions import FUNCTIONS as FUNCTIONS

KINDS: Final[Mapping[str, Kind]] = {
    kind.type: kind for module in (addresses, firewalls, networks, servers, volumes) for kind in module.KINDS
}
