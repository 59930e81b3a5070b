"""The simulated Cloudflare API v4 (https://developers.cloudflare.com/api), for zones on the Free plan."""

from typing import Final

from ..vendor import Vendor
from . import (
    access,
    certificates,
    dns_records,
    ips,
    origin_tls_client_auth,
    page_rules,
    rulesets,
    worker_routes,
    worker_scripts,
    worker_triggers,
    zone_settings,
    zones,
)
from .answers import blueprint, broken, unknown_path

# Importing these modules adds their routes to the blueprint.
RESOURCES: Final = (
    certificates,
    dns_records,
    ips,
    origin_tls_client_auth,
    page_rules,
    rulesets,
    worker_routes,
    worker_scripts,
    worker_triggers,
    zone_settings,
    zones,
)

VENDOR: Final = Vendor(
    name="cloudflare",
    prefix="/client/v4",
    blueprint=blueprint,
    authenticate=access.authenticate,
    unknown_path=unknown_path,
    broken=broken,
)
