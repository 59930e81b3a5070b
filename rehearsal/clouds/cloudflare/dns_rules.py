"""What Cloudflare checks in a DNS record.

The rules are those of https://developers.cloudflare.com/dns/manage-dns-records/. Codes and messages are not documented;
they are those that users of the API report. A rule without a report beside it has a code and message of our own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from ..store import Json, Object
from .answers import refuse
from .zones import contains

PROXIABLE: Final = ("A", "AAAA", "CNAME")
"""https://developers.cloudflare.com/dns/proxy-status/#proxied-records"""
_ADDRESSES: Final = {"A": 4, "AAAA": 6}
_TYPES: Final = frozenset(
    {*PROXIABLE, "MX", "NS", "OPENPGPKEY", "PTR", "TXT", "CAA", "CERT", "DNSKEY", "DS", "HTTPS", "LOC", "NAPTR"}
    | {"SMIMEA", "SRV", "SSHFP", "SVCB", "TLSA", "URI"}
)
_SERVICE_BINDINGS: Final = ("HTTPS", "SVCB")
_AUTOMATIC_TTL: Final = 1
# Of plans below Enterprise: https://developers.cloudflare.com/dns/manage-dns-records/reference/ttl/
_TTLS: Final = (60, 86400)
_LARGEST_PRIORITY: Final = 65535
# Of the Free plan: https://developers.cloudflare.com/dns/manage-dns-records/reference/record-attributes/ (comments and
# tags) and https://developers.cloudflare.com/dns/manage-dns-records/#dns-records-quota (records of a zone that was
# created in September 2024 or later).
_LONGEST_COMMENT: Final = 100
_MOST_RECORDS: Final = 200
# https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4
_LONGEST_NAME: Final = 253
_LONGEST_LABEL: Final = 63


def full_name(zone: Object, name: str) -> str:
    """The name that Cloudflare stores: `@` is the apex, and a name outside of the zone becomes one below it.

    https://developers.cloudflare.com/dns/manage-dns-records/reference/dns-record-types/, and
    https://github.com/NewFuture/DDNS/issues/21 for a name of another zone.
    """
    host = name.rstrip(".").lower()
    if host == "@":
        return str(zone["name"])
    return host if contains(zone, host) else f"{host}.{zone['name']}"


def normal_content(record: Object) -> Json:
    """The content as Cloudflare keeps it: IPv6 addresses in their short form, host names in lower case.

    The content of a service binding is formatted from its `data` (API documentation of DNS records, `HTTPSRecord`).
    """
    content = record.get("content")
    type_ = record.get("type")
    if type_ in _SERVICE_BINDINGS and isinstance(data := record.get("data"), dict):
        return " ".join(str(data[name]) for name in ("priority", "target", "value") if name in data)
    if type_ == "CNAME" and content:
        return str(content).rstrip(".").lower()
    if type_ == "AAAA" and _is_address(content, 6):
        return str(ipaddress.ip_address(str(content)))
    return content


def validate(record: Object, others: Sequence[Object]) -> None:
    """Refuses the request if the record is wrong, or cannot exist beside the others of its zone."""
    _validate_content(record)
    _validate_plan(record, others)
    for other in others:
        if other["name"] == record["name"]:
            _validate_beside(record, other)


def _validate_content(record: Object) -> None:
    type_, content, ttl = record.get("type"), record["content"], record["ttl"]
    if type_ not in _TYPES:
        refuse(9005, f"Invalid DNS record type {type_}.")
    # https://github.com/timothymiller/cloudflare-ddns/issues/91
    name = record["name"]
    if len(name) > _LONGEST_NAME or any(not 0 < len(label) <= _LONGEST_LABEL for label in name.split(".")):
        refuse(9000, "DNS name is invalid.")
    # https://github.com/timothymiller/cloudflare-ddns/issues/230
    version = _ADDRESSES.get(type_)
    if version and not _is_address(content, version):
        refuse(9005, f"Content for {type_} record must be a valid IPv{version} address.")
    if not content and not record.get("data"):
        refuse(9005, f"Content for {type_} record is invalid.")
    # https://github.com/LINKIWI/cloudflare-ddns-client/pull/30
    if not isinstance(ttl, int) or (ttl != _AUTOMATIC_TTL and not _TTLS[0] <= ttl <= _TTLS[1]):
        refuse(9021, f"Invalid TTL. Must be between {_TTLS[0]} and {_TTLS[1]} seconds, or 1 for Automatic.")
    # https://github.com/kubernetes-sigs/external-dns/issues/1945
    if record["proxied"] and type_ not in PROXIABLE:
        refuse(9004, "This record type cannot be proxied.")
    # https://github.com/jamesryanbell/cloudflare/issues/23
    priority = record.get("priority")
    if type_ in ("MX", "URI") and (not isinstance(priority, int) or not 0 <= priority <= _LARGEST_PRIORITY):
        refuse(9008, f"Invalid priority, priority must be set and be between 0 and {_LARGEST_PRIORITY}")


def _validate_plan(record: Object, others: Sequence[Object]) -> None:
    if record["tags"]:
        refuse(9300, f"DNS record has {len(record['tags'])} tags, exceeding the quota of 0.")
    if len(record["comment"] or "") > _LONGEST_COMMENT:
        refuse(9301, f"DNS record comment exceeds the maximum length of {_LONGEST_COMMENT} characters.")
    if len(others) >= _MOST_RECORDS:
        refuse(81045, "Record quota exceeded.")


def _validate_beside(record: Object, other: Object) -> None:
    types = {record["type"], other["type"]}
    # https://github.com/jeessy2/ddns-go/issues/1378
    if len(types) == 1 and record["content"] == other["content"] and record.get("data") == other.get("data"):
        refuse(81058, "An identical record already exists.")
    # A name with a CNAME record has no address of its own:
    # https://developers.cloudflare.com/dns/manage-dns-records/troubleshooting/records-with-same-name/
    if "CNAME" in types and types <= set(PROXIABLE):
        if record["type"] == "CNAME":
            refuse(81053, "An A, AAAA, or CNAME record with that host already exists.")
        refuse(81054, "A CNAME record with that host already exists.")


def _is_address(content: Json, version: int) -> bool:
    try:
        return ipaddress.ip_address(str(content)).version == version
    except ValueError:
        return False
