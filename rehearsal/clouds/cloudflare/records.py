"""DNS records."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from ..kinds import Cloud, Created, Kind, now
from ..values import UNKNOWN, Props, Value
from . import common
from .common import api_error

_TYPE: Final = "cloudflare:index/dnsRecord:DnsRecord"
_OLD_TYPE: Final = "cloudflare:index/record:Record"
_TYPES: Final = (_TYPE, _OLD_TYPE)

_PROXIABLE: Final = ("A", "AAAA", "CNAME")
_LARGEST_PRIORITY: Final = 65535
_TTLS: Final = (60, 86400)


def _priority_error(value: Value) -> str | None:
    if 0 <= float(value) <= _LARGEST_PRIORITY:
        return None
    return (
        "Invalid Attribute Value. Attribute priority value must be between 0.000000 and "
        f"{_LARGEST_PRIORITY:f}, got: {float(value):f}"
    )


def _check(props: Props) -> Iterator[str]:
    ttl = props.get("ttl")
    if props.get("proxied") is True and ttl is not None and ttl is not UNKNOWN and float(ttl) != 1:
        yield "ttl must be set to 1 when `proxied` is true: Cloudflare chooses the TTL of proxied records"


def _host(cloud: Cloud, props: Props) -> str:
    """The FQDN of a record: the API accepts `@` for the zone itself, and a single label for a name in the zone."""
    zone = common.zone_name(cloud, props.get("zoneId"), "/dns_records")
    name = str(props["name"]).rstrip(".").lower()
    if name == "@":
        return zone
    return f"{name}.{zone}" if "." not in name else name


def _validate(cloud: Cloud, id_: str | None, props: Props) -> None:
    zone, host = common.zone_name(cloud, props.get("zoneId"), "/dns_records"), _host(cloud, props)
    path = f"/zones/{props['zoneId']}/dns_records"
    record_type, content, ttl = props["type"], props.get("content"), props["ttl"]
    if host != zone and not host.endswith(f".{zone}"):
        raise api_error(9005, f"DNS name is invalid: {props['name']} is not in zone {zone}", path=path)
    if not content and not props.get("data"):
        raise api_error(9005, "DNS record needs content or data.", path=path)
    _validate_content(record_type, content, path)
    if ttl != 1 and not _TTLS[0] <= ttl <= _TTLS[1]:
        raise api_error(9021, "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.", path=path)
    if props.get("proxied") and record_type not in _PROXIABLE:
        raise api_error(9004, "This record type cannot be proxied.", path=path)
    if record_type == "MX" and props.get("priority") is None:
        raise api_error(9005, "Priority is required for MX records.", path=path)
    for token in _TYPES:
        for key, live in cloud.of(token).items():
            if key != id_ and live["zoneId"] == props["zoneId"] and _host(cloud, live) == host:
                _validate_no_conflict(live, record_type, content, path)


def _validate_content(record_type: str, content: Value, path: str) -> None:
    versions = {"A": 4, "AAAA": 6}
    if record_type in versions:
        try:
            valid = ipaddress.ip_address(content or "").version == versions[record_type]
        except ValueError:
            valid = False
        if not valid:
            raise api_error(
                9005, f"Content for {record_type} record must be a valid IPv{versions[record_type]} address.", path=path
            )


def _validate_no_conflict(live: Props, record_type: str, content: Value, path: str) -> None:
    if live["type"] == record_type and live.get("content") == content:
        raise api_error(81058, "An identical record already exists.", path=path)
    # A name with a CNAME record cannot have other records.
    if "CNAME" in (live["type"], record_type) and {live["type"], record_type} <= set(_PROXIABLE):
        raise api_error(81053, "An A, AAAA, or CNAME record with that host already exists.", path=path)


def _create(_: Cloud, props: Props) -> Created:
    return Created(common.new_id(), {**_computed(props, {}), "createdOn": now(), "meta": "{}"})


def _after_update(_cloud: Cloud, _id: str, props: Props, old: Props) -> Props:
    return _computed(props, old)


def _computed(props: Props, old: Props) -> Props:
    computed: Props = {"modifiedOn": now(), "proxiable": props["type"] in _PROXIABLE}
    for name in ("comment", "tags"):
        if props.get(name) and props.get(name) != old.get(name):
            computed[f"{name}ModifiedOn"] = now()
    return computed


_RECORD: Final = Kind(
    type=_TYPE,
    dialect="framework",
    create=_create,
    # zoneId is required in the SDK. The plugin does not check it, and the API returns an error.
    optional=frozenset({"zoneId"}),
    replaces=frozenset({"type", "zoneId"}),
    sets=frozenset({"tags"}),
    defaults={"proxied": False},
    computed=frozenset({"settings", "data", "tags"}),
    validators={"priority": _priority_error},
    check=_check,
    validate=_validate,
    after_update=_after_update,
    state_key=common.last_part,
)

# `Record` is the former name of `DnsRecord`. The plugin supports both.
KINDS: Final = (_RECORD, replace(_RECORD, type=_OLD_TYPE))
