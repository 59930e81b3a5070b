"""Zones, their settings, caching and DNSSEC."""

from __future__ import annotations

import hashlib
from typing import Final

from ..kinds import Cloud, Created, Kind, now
from ..values import Props
from . import common
from .common import api_error

_ON_OFF: Final = ("on", "off")

_ON: Final = (
    *(
        "automatic_https_rewrites",
        "brotli",
        "browser_check",
        "email_obfuscation",
        "fonts",
        "http2",
        "http3",
        "ip_geolocation",
    ),
    *("ipv6", "opportunistic_encryption", "opportunistic_onion", "websockets"),
)
_OFF: Final = (
    *("0rtt", "advanced_ddos", "always_online", "always_use_https", "china_network_enabled", "content_converter"),
    *(
        "development_mode",
        "early_hints",
        "hotlink_protection",
        "mirage",
        "orange_to_orange",
        "origin_error_page_pass_thru",
    ),
    *("origin_h2_max_streams", "origin_max_http_version", "prefetch_preload", "privacy_pass", "replace_insecure_js"),
    *("response_buffering", "rocket_loader", "server_side_exclude", "sha1_support", "sort_query_string_for_cache"),
    *("ssl_recommender", "tls_1_2_only", "tls_client_auth", "true_client_ip_header", "waf", "webp"),
)

# All settings, with their allowed values (None: any) and their values in a new zone of the Free plan.
# https://developers.cloudflare.com/api/resources/zones/subresources/settings/
_SETTINGS: Final[dict[str, tuple[tuple[str, ...] | None, object]]] = {
    "ssl": (("off", "flexible", "full", "strict", "origin_pull"), "full"),
    "min_tls_version": (("1.0", "1.1", "1.2", "1.3"), "1.0"),
    "tls_1_3": (("on", "off", "zrt"), "on"),
    "security_level": (("off", "essentially_off", "low", "medium", "high", "under_attack"), "medium"),
    "cache_level": (("aggressive", "basic", "simplified"), "aggressive"),
    "polish": (("off", "lossless", "lossy"), "off"),
    "pseudo_ipv4": (("off", "add_header", "overwrite_header"), "off"),
    "h2_prioritization": (("on", "off", "custom"), "off"),
    "image_resizing": (("on", "off", "open"), "off"),
    "cname_flattening": (("flatten_at_root", "flatten_all"), "flatten_at_root"),
    **dict.fromkeys(("browser_cache_ttl", "challenge_ttl", "edge_cache_ttl"), (None, 14400)),
    "max_upload": (None, 100),
    "proxy_read_timeout": (None, 100),
    **dict.fromkeys(("ciphers", "minify", "mobile_redirect", "nel", "security_header", "aegis"), (None, "")),
    **dict.fromkeys(("automatic_platform_optimization", "ssl_automatic_mode", "transformations"), (None, "")),
    **dict.fromkeys(_ON, (_ON_OFF, "on")),
    **dict.fromkeys(_OFF, (_ON_OFF, "off")),
}


def _validate_setting(cloud: Cloud, _: str | None, props: Props) -> None:
    path = f"/settings/{props['settingId']}"
    common.zone_name(cloud, props.get("zoneId"), path)
    full_path = f"/zones/{props['zoneId']}{path}"
    if props["settingId"] not in _SETTINGS:
        raise api_error(1003, f"Undefined zone setting: {props['settingId']}", path=full_path, method="PATCH")
    allowed, _default = _SETTINGS[props["settingId"]]
    if allowed is not None and props["value"] not in allowed:
        message = (
            f"Invalid value for zone setting {props['settingId']}: {props['value']}, it may be {', '.join(allowed)}"
        )
        raise api_error(1007, message, path=full_path, method="PATCH")


def _create_setting(_: Cloud, props: Props) -> Created:
    return Created(props["settingId"], {"editable": True, "modifiedOn": now()})


def _new_timestamp(_cloud: Cloud, _id: str, _props: Props, _old: Props) -> Props:
    return {"modifiedOn": now()}


def _implicit_setting(cloud: Cloud, key: str, _: Props) -> Props | None:
    zone, _slash, setting = key.partition("/")
    if setting not in _SETTINGS or zone not in common.zones(cloud):
        return None
    return {"zoneId": zone, "settingId": setting, "value": _SETTINGS[setting][1], "editable": True}


def _validate_in_zone(cloud: Cloud, _: str | None, props: Props) -> None:
    common.zone_name(cloud, props.get("zoneId"))


def _create_tiered_cache(_: Cloud, props: Props) -> Created:
    return Created(props["zoneId"], {"editable": True, "modifiedOn": now()})


def _create_dnssec(cloud: Cloud, props: Props) -> Created:
    name = common.zone_name(cloud, props["zoneId"])
    digest = hashlib.sha256(name.encode()).hexdigest().upper()
    computed: Props = {
        "algorithm": "13",
        "digest": digest,
        "digestAlgorithm": "SHA256",
        "digestType": "2",
        "ds": f"{name}. 3600 IN DS 2371 13 2 {digest}",
        "flags": 257,
        "keyTag": 2371,
        "keyType": "ECDSAP256SHA256",
        "modifiedOn": now(),
        "status": props.get("status") or "active",
    }
    return Created(props["zoneId"], computed)


def _validate_zone(cloud: Cloud, id_: str | None, props: Props) -> None:
    if any(name == props["name"] and known != id_ for known, name in common.zones(cloud).items()):
        raise api_error(1061, f"{props['name']} already exists", path="/zones")


def _create_zone(_: Cloud, _props: Props) -> Created:
    servers = [f"{name}.ns.cloudflare.com" for name in ("ada", "bob")]
    computed: Props = {
        "createdOn": now(),
        "modifiedOn": now(),
        "nameServers": servers,
        "status": "active",
        "verificationKey": "",
    }
    return Created(common.new_id(), computed)


KINDS: Final = (
    Kind(
        type="cloudflare:index/zoneSetting:ZoneSetting",
        dialect="framework",
        create=_create_setting,
        optional=frozenset({"zoneId"}),
        replaces=frozenset({"settingId", "zoneId"}),
        computed=frozenset({"enabled"}),
        validate=_validate_setting,
        after_update=_new_timestamp,
        implicit=_implicit_setting,
        state_key=common.within_zone,
        resource_id=common.id_within_zone,
        # A setting always has a value. Deleting the resource does not change it.
        retained=True,
    ),
    Kind(
        type="cloudflare:index/tieredCache:TieredCache",
        dialect="framework",
        create=_create_tiered_cache,
        replaces=frozenset({"zoneId"}),
        validate=_validate_in_zone,
        after_update=_new_timestamp,
    ),
    Kind(
        type="cloudflare:index/zoneDnssec:ZoneDnssec",
        dialect="framework",
        create=_create_dnssec,
        replaces=frozenset({"zoneId"}),
        computed=frozenset({"status"}),
        validate=_validate_in_zone,
        after_update=_new_timestamp,
    ),
    Kind(
        type=common.ZONE,
        dialect="framework",
        create=_create_zone,
        replaces=frozenset({"account", "name"}),
        defaults={"type": "full", "paused": False},
        computed=frozenset({"vanityNameServers"}),
        validate=_validate_zone,
        after_update=_new_timestamp,
    ),
)
