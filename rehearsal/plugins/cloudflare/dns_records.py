"""DNS records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ..client import ApiError, Client
from ..kinds import Created, Kind
from ..values import Props, Value
from .names import properties, snake, within_zone, zone_path

_BODY: Final = (
    *("comment", "content", "data", "name", "priority", "privateRouting", "proxied", "settings", "tags", "ttl", "type"),
)
_PRESERVED: Final = ("settings", "tags")
"""Inputs that an update sends from the state if the program does not set them."""
_AUTOMATIC_TTL: Final = 1
_LARGEST_PRIORITY: Final = 65535


def _bad_priority(value: Value) -> str | None:
    if 0 <= float(value) <= _LARGEST_PRIORITY:
        return None
    allowed = f"must be between 0.000000 and {_LARGEST_PRIORITY:f}, got: {float(value):f}"
    return f"Invalid Attribute Value. Attribute priority value {allowed}"


def _create(client: Client, props: Props) -> Created:
    if props.get("proxied") and props["ttl"] != _AUTOMATIC_TTL:
        reason = (
            "When a DNS record is marked as `proxied` the TTL must be 1 as Cloudflare will control the TTL internally."
        )
        raise ApiError(f"ttl must be set to 1 when `proxied` is true: {reason}")
    record = client.post(f"{zone_path(props)}/dns_records", _body(props))
    return Created(record["id"], _properties(record, without=props))


def _read(client: Client, id_: str, state: Props) -> Created | None:
    zone, record_id = within_zone(id_, state)
    record = client.find(f"{zone_path(zone)}/dns_records/{record_id}")
    if record is None:
        return None
    values = {**_properties(record), **zone}
    written = str(state.get("name", ""))
    # The program may write `@`, or a name without its zone; the API returns full names.
    if written == "@" or str(values["name"]).startswith(f"{written}."):
        values["name"] = written
    return Created(record_id, values)


def _update(client: Client, id_: str, old: Props, new: Props) -> Props:
    preserved: Props = {name: old[name] for name in _PRESERVED if name in old}
    record = client.put(f"{zone_path(new)}/dns_records/{id_}", _body({**preserved, **new}))
    return _properties(record, without=new)


def _delete(client: Client, id_: str, old: Props) -> None:
    client.delete(f"{zone_path(old)}/dns_records/{id_}", missing_ok=False)


def _body(props: Props) -> Mapping[str, Value]:
    body: Props = snake({name: props[name] for name in _BODY if props.get(name) is not None})
    return body


def _properties(record: Props, *, without: Props | None = None) -> Props:
    # `meta` is a string of JSON in the schema.
    return properties({**record, "meta": json.dumps(record["meta"])}, without=without)


_RECORD: Final = Kind(
    type="cloudflare:index/dnsRecord:DnsRecord",
    dialect="framework",
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    # The SDK requires the zone; the plugin leaves its absence to the client.
    optional=frozenset({"zoneId"}),
    replaces=frozenset({"type", "zoneId"}),
    sets=frozenset({"tags"}),
    defaults={"proxied": False},
    computed=frozenset({"settings", "data", "tags"}),
    recomputed=frozenset({"modifiedOn"}),
    validators={"priority": _bad_priority},
)

# `Record` is the former name of `DnsRecord`; the plugin serves both.
KINDS: Final = (_RECORD, replace(_RECORD, type="cloudflare:index/record:Record"))
