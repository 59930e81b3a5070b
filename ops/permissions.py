"""The permission groups of the Cloudflare token: those that an `up` needs, and those that `make drift` reads besides.

Those of UPTIME belong to the account and are only needed while `honeydue:uptime` is set. The others belong to the zone.

https://developers.cloudflare.com/fundamentals/api/reference/permissions/ lists the groups.
"""

from collections.abc import Mapping

ZONE, ZONE_SETTINGS, WORKER_ROUTES = "Zone", "Zone Settings", "Workers Routes"
DNS, CERTIFICATES = "DNS", "SSL and Certificates"
WORKER_SCRIPTS = "Workers Scripts"
READ, EDIT = "Read", "Edit"

UP: Mapping[str, str] = {ZONE: READ, DNS: EDIT, ZONE_SETTINGS: EDIT, CERTIFICATES: EDIT}
"""The level that an `up` needs of each group."""
UPTIME: Mapping[str, str] = {WORKER_SCRIPTS: EDIT}
"""The level that an `up` needs of each group of the account, with `honeydue:uptime`."""
PHASES: Mapping[str, str] = {
    "http_config_settings": "Config Rules",
    "http_ratelimit": "Zone WAF",
    "http_request_cache_settings": "Cache Rules",
    "http_request_dynamic_redirect": "Single Redirect",
    "http_request_firewall_custom": "Zone WAF",
    "http_request_firewall_managed": "Zone WAF",
    "http_request_late_transform": "Transform Rules",
    "http_request_origin": "Origin Rules",
    "http_request_transform": "Transform Rules",
    "http_response_headers_transform": "Transform Rules",
}
"""The permission group that reads the rules of each phase.

Each phase is read separately, because a list of all rulesets needs only one of these groups. The other phases change no
request of the Free plan. https://developers.cloudflare.com/ruleset-engine/reference/phases-list/
"""
ALL: Mapping[str, str] = {**UP, **dict.fromkeys((WORKER_ROUTES, *PHASES.values()), READ)}
"""The level of each group of the zone that the token should have."""
