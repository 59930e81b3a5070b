"""Zones (https://developers.cloudflare.com/api/resources/zones/): those of the account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flask import request

from ..cloud import current
from ..store import Json, Object
from ..vendor import Answer
from . import access
from .answers import blueprint, body, page, result, unknown_object
from .filters import Condition, compare, matching, ordered, parameters

ACCOUNT: Final = {"id": "01a7362d577a6c3019a474fd6f485823", "name": "honeyDue"}
_NAME_SERVERS: Final = ("ada.ns.cloudflare.com", "bob.ns.cloudflare.com")
_CREATED: Final = "2024-01-01T00:00:00.000000Z"
# Operators of the filter `name`, as in `contains:example`.
_OPERATORS: Final = {"equal": "exact", "contains": "contains", "starts_with": "startswith", "ends_with": "endswith"}
_FREE_PLAN: Final = {
    "id": "0feeeeeeeeeeeeeeeeeeeeeeeeeeeeee",
    "name": "Free Website",
    "price": 0,
    "currency": "USD",
    "frequency": "",
    "is_subscribed": False,
    "can_subscribe": False,
    "legacy_id": "free",
    "legacy_discount": False,
    "externally_managed": False,
}


def find_zone(zone_id: str) -> Object:
    """The zone with this id; refuses the request if the account has none."""
    zone = next((zone for zone in _zones() if zone["id"] == zone_id), None)
    if zone is None:
        unknown_object()
    return zone


def _zones() -> list[Object]:
    return [_zone(id_, name) for name, id_ in current().account.zones.items()]


def contains(zone: Mapping[str, Json], host: str) -> bool:
    """Whether a host name is the zone's apex or below it."""
    return host == zone["name"] or host.endswith(f".{zone['name']}")


@blueprint.get("/zones")
def list_zones() -> Answer:
    """The zones that the token may read."""
    conditions = parameters(("status",))
    if (name := request.args.get("name")) is not None:
        conditions.append(("name", _name_condition(name)))
    zones = _zones() if access.may_read_zones() else []
    return page(ordered(matching(zones, conditions), ("name", "status")), per_page=20, largest=50)


@blueprint.get("/zones/<zone_id>")
def get_zone(zone_id: str) -> Answer:
    """One zone."""
    return result(find_zone(zone_id))


@blueprint.patch("/zones/<zone_id>")
def edit_zone(zone_id: str) -> Answer:
    """Pauses the proxy for all records of a zone, or resumes it. Other fields are not simulated."""
    find_zone(zone_id)
    current().of("zones")[zone_id] = {"paused": bool(body().get("paused"))}
    return result(find_zone(zone_id))


def _zone(id_: str, name: str) -> Object:
    edited = current().of("zones").get(id_, {})
    return {
        "id": id_,
        "name": name,
        "status": "active",
        "paused": False,
        "type": "full",
        "development_mode": 0,
        "name_servers": list(_NAME_SERVERS),
        "original_name_servers": None,
        "original_registrar": None,
        "original_dnshost": None,
        "modified_on": _CREATED,
        "created_on": _CREATED,
        "activated_on": _CREATED,
        "vanity_name_servers": [],
        "verification_key": "",
        "meta": {"step": 2, "custom_certificate_quota": 0, "page_rule_quota": 3, "phishing_detected": False},
        "owner": {"id": None, "type": "user", "email": None},
        "account": ACCOUNT,
        "tenant": {"id": None, "name": None},
        "tenant_unit": {"id": None},
        "permissions": [],
        "plan": _FREE_PLAN,
        **edited,
    }


def _name_condition(text: str) -> Condition:
    operator, colon, name = text.partition(":")
    return compare(_OPERATORS[operator], name) if colon and operator in _OPERATORS else compare("exact", text)
