"""Helpers for all Cloudflare resources: zones, ids and errors of the API."""

from __future__ import annotations

import json
import secrets
from typing import Final

from ..kinds import ApiError, Cloud
from ..values import Props, Value

ZONE: Final = "cloudflare:index/zone:Zone"

_API: Final = "https://api.cloudflare.com/client/v4"


def api_error(code: int, message: str, *, path: str, method: str = "POST", status: str = "400 Bad Request") -> ApiError:
    """An error of the API, in the format in which the provider returns it."""
    body = json.dumps({"success": False, "errors": [{"code": code, "message": message}]}, separators=(",", ":"))
    return ApiError(f'failed to make http request: {method} "{_API}{path}": {status} {body}')


def new_id() -> str:
    """A new id of 32 hexadecimal digits."""
    return secrets.token_hex(16)


def zones(cloud: Cloud) -> dict[str, str]:
    """The names of all zones of the account by id: those of its settings, and those that were created later."""
    created = {id_: live["name"] for id_, live in cloud.of(ZONE).items()}
    return {**{id_: name for name, id_ in cloud.account.zones.items()}, **created}


def zone_name(cloud: Cloud, zone_id: Value, path: str = "") -> str:
    """The domain of a zone. Raises ApiError if the account has no such zone."""
    if not zone_id:
        raise ApiError("missing required zone_id parameter")
    name = zones(cloud).get(zone_id)
    if name is None:
        route = f"/zones/{zone_id}{path}"
        message = f"Could not route to /client/v4{route}, perhaps your object identifier is invalid?"
        raise api_error(7003, message, path=route, status="404 Not Found")
    return name


def last_part(id_: str, _: Props) -> str:
    """The id of the resource in an import id such as `zone/record`."""
    return id_.rpartition("/")[2]


def within_zone(id_: str, prior: Props) -> str:
    """The key of a resource whose id is only unique within its zone: a setting or a hostname."""
    return id_ if "/" in id_ else f"{prior.get('zoneId')}/{id_}"


def id_within_zone(key: str) -> str:
    """The id within the zone, from the key of `within_zone`."""
    return key.rpartition("/")[2]
