"""The simulated Cloudflare.

Replacements and checks follow terraform-provider-cloudflare 5.19 (github.com/cloudflare/terraform-provider-cloudflare,
internal/services/*/schema.go). API errors follow https://developers.cloudflare.com/api.
"""

from collections.abc import Callable, Mapping
from typing import Final

from ..kinds import Cloud, Kind
from ..values import Props
from . import functions, origin_certificates, origin_pulls, records, rulesets, zones

KINDS: Final[Mapping[str, Kind]] = {
    kind.type: kind for module in (records, zones, origin_certificates, origin_pulls, rulesets) for kind in module.KINDS
}

FUNCTIONS: Final[Mapping[str, Callable[[Cloud, Props], Props]]] = functions.FUNCTIONS
