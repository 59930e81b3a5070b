"""The cloudflare provider: its resource types, their properties and their requests.

Follows terraform-provider-cloudflare 5.22 (github.com/cloudflare/terraform-provider-cloudflare, internal/services):
`resource.go` and `model.go` of each service for the requests, `schema.go` for replacements and checks.
As there, most resources fail if the object that they delete does not exist.
"""

from collections.abc import Callable, Mapping
from typing import Final

from ..client import Client
from ..kinds import Kind
from ..values import Props
from . import (
    checked,
    dns_records,
    functions,
    origin_certificates,
    origin_pulls,
    rulesets,
    worker_scripts,
    zone_settings,
)
from .vendor import Cloudflare

VENDOR: Final = Cloudflare()

KINDS: Final[Mapping[str, Kind]] = {
    kind.type: kind
    for module in (dns_records, zone_settings, origin_certificates, origin_pulls, rulesets, worker_scripts, checked)
    for kind in module.KINDS
}

FUNCTIONS: Final[Mapping[str, Callable[[Client, Props], Props]]] = functions.FUNCTIONS
