"""Settings of a zone (https://developers.cloudflare.com/api/resources/zones/subresources/settings/).

Every zone has every setting, with the value of a new zone until it is changed. Values of a new zone are those in
the listing of https://github.com/cloudflare/terraform-provider-cloudflare/issues/1810. Its field `editable` and the
"Plan-dependent Settings" of the Terraform provider's documentation show what the Free plan may not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..cloud import current
from ..store import Json, Object
from ..vendor import Answer
from .answers import blueprint, body, now, refuse, result
from .zones import find_zone


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """A setting.

    Attributes:
        initial: the value of a new zone.
        values: allowed values; empty if the API accepts anything here.
        paid: values that the Free plan refuses.
        editable: whether the Free plan may change it.
    """

    initial: Json
    values: tuple[Json, ...] = ()
    paid: tuple[Json, ...] = ()
    editable: bool = True


def _switch(initial: str, *, editable: bool = True) -> _Setting:
    return _Setting(initial=initial, values=("on", "off"), editable=editable)


_ON: Final = (
    *("automatic_https_rewrites", "brotli", "browser_check", "email_obfuscation", "fonts", "http3", "ip_geolocation"),
    *("ipv6", "opportunistic_encryption", "opportunistic_onion", "server_side_exclude", "websockets"),
)
_OFF: Final = (
    *("0rtt", "always_online", "always_use_https", "content_converter", "development_mode", "early_hints"),
    *("hotlink_protection", "privacy_pass", "redirects_for_ai_training", "replace_insecure_js", "rocket_loader"),
    *("ssl_recommender", "tls_client_auth"),
)
_NOT_EDITABLE: Final = {
    **dict.fromkeys(("advanced_ddos", "http2"), "on"),
    **dict.fromkeys(("china_network_enabled", "mirage", "orange_to_orange", "origin_error_page_pass_thru"), "off"),
    **dict.fromkeys(("prefetch_preload", "response_buffering", "sha1_support"), "off"),
    **dict.fromkeys(("sort_query_string_for_cache", "tls_1_2_only", "true_client_ip_header", "waf", "webp"), "off"),
}
_CHALLENGE_TTLS: Final = (
    *(300, 900, 1800, 2700, 3600, 7200, 10800, 14400, 28800, 57600, 86400, 604800, 2592000, 31536000),
)
_HSTS: Final = {"enabled": False, "include_subdomains": False, "max_age": 0, "nosniff": False, "preload": False}

_SETTINGS: Final[Mapping[str, _Setting]] = {
    **{name: _switch("on") for name in _ON},
    **{name: _switch("off") for name in _OFF},
    **{name: _switch(initial, editable=False) for name, initial in _NOT_EDITABLE.items()},
    "automatic_platform_optimization": _Setting(initial={"enabled": False, "cf": False, "wordpress": False}),
    "browser_cache_ttl": _Setting(initial=14400),
    "cache_level": _Setting(initial="aggressive", values=("aggressive", "basic", "simplified")),
    "challenge_ttl": _Setting(initial=1800, values=_CHALLENGE_TTLS),
    "ciphers": _Setting(initial=[], editable=False),
    "cname_flattening": _Setting(
        initial="flatten_at_root", values=("flatten_at_root", "flatten_all"), paid=("flatten_all",)
    ),
    "edge_cache_ttl": _Setting(initial=7200, editable=False),
    "h2_prioritization": _Setting(initial="off", values=("on", "off", "custom"), editable=False),
    "image_resizing": _Setting(initial="off", values=("on", "off", "open"), editable=False),
    "max_upload": _Setting(initial=100, values=(100,)),
    "min_tls_version": _Setting(initial="1.0", values=("1.0", "1.1", "1.2", "1.3")),
    "nel": _Setting(initial={"enabled": True}),
    "origin_h2_max_streams": _Setting(initial=200, editable=False),
    "origin_max_http_version": _Setting(initial="2", values=("1", "2"), editable=False),
    "polish": _Setting(initial="off", values=("off", "lossless", "lossy"), editable=False),
    "proxy_read_timeout": _Setting(initial="100", editable=False),
    "pseudo_ipv4": _Setting(initial="off", values=("off", "add_header", "overwrite_header")),
    "security_header": _Setting(initial={"strict_transport_security": _HSTS}),
    "security_level": _Setting(
        initial="medium",
        values=("off", "essentially_off", "low", "medium", "high", "under_attack"),
        # https://developers.cloudflare.com/waf/tools/security-level/: only Enterprise may switch it off.
        paid=("off",),
    ),
    "ssl": _Setting(
        initial="full",
        values=("off", "flexible", "full", "strict", "origin_pull"),
        # https://developers.cloudflare.com/ssl/origin-configuration/ssl-modes/ssl-only-origin-pull/: Enterprise.
        paid=("origin_pull",),
    ),
    "ssl_automatic_mode": _Setting(initial="custom", values=("auto", "custom")),
    "tls_1_3": _Setting(initial="on", values=("on", "off", "zrt")),
    "transformations": _Setting(initial="off", values=("on", "off", "open")),
}


@blueprint.get("/zones/<zone_id>/settings")
def list_settings(zone_id: str) -> Answer:
    """All settings of a zone."""
    find_zone(zone_id)
    return result([_live(zone_id, setting_id) for setting_id in _SETTINGS])


@blueprint.get("/zones/<zone_id>/settings/<setting_id>")
def get_setting(zone_id: str, setting_id: str) -> Answer:
    """One setting."""
    find_zone(zone_id)
    _find(setting_id)
    return result(_live(zone_id, setting_id))


@blueprint.patch("/zones/<zone_id>/settings/<setting_id>")
def edit_setting(zone_id: str, setting_id: str) -> Answer:
    """Changes a setting."""
    find_zone(zone_id)
    setting, inputs = _find(setting_id), body()
    if not setting.editable:
        refuse(1015, f"Not allowed to edit setting for '{setting_id}'")
    value = inputs.get("value")
    # A request without a value is answered so, too: https://github.com/pulumi/pulumi-cloudflare/issues/1319
    if value is None or (setting.values and value not in setting.values):
        refuse(1007, f"Invalid value for zone setting {setting_id}")
    if value in setting.paid:
        refuse(1015, f"Not allowed to edit setting for '{setting_id}'")
    current().of("settings")[f"{zone_id}/{setting_id}"] = {"value": value, "modified_on": now()}
    return result(_live(zone_id, setting_id))


def _find(setting_id: str) -> _Setting:
    if setting_id not in _SETTINGS:
        refuse(1003, f"Undefined zone setting: {setting_id}")
    return _SETTINGS[setting_id]


def _live(zone_id: str, setting_id: str) -> Object:
    setting = _SETTINGS[setting_id]
    changed = current().of("settings").get(f"{zone_id}/{setting_id}", {})
    return {"id": setting_id, "value": setting.initial, "modified_on": None, "editable": setting.editable, **changed}
