"""Names, ids and paths that all of Cloudflare's resources have in common."""

from __future__ import annotations

import re

from ..client import ApiError
from ..values import Props, Value


def camel(value: Value) -> Value:
    """A value of the API with Pulumi's names: `modified_on` becomes `modifiedOn`, at any depth."""
    if isinstance(value, dict):
        return {
            re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name): camel(part) for name, part in value.items()
        }
    return [camel(part) for part in value] if isinstance(value, list) else value


def snake(value: Value) -> Value:
    """A value with the API's names: `cacheKey` becomes `cache_key`, at any depth."""
    if isinstance(value, dict):
        return {
            re.sub(r"(?<=[a-z0-9])[A-Z]", lambda match: f"_{match[0].lower()}", name): snake(part)
            for name, part in value.items()
        }
    return [snake(part) for part in value] if isinstance(value, list) else value


def properties(live: Props, *, without: Props | None = None) -> Props:
    """The properties of a live object, without the inputs of a creation: the state keeps those as they are written."""
    return {name: value for name, value in camel(live).items() if name != "id" and name not in (without or {})}


def zone_path(props: Props) -> str:
    """The path of the resource's zone."""
    if not props.get("zoneId"):
        raise ApiError("failed to make http request: missing required zone_id parameter")
    return f"zones/{props['zoneId']}"


def within_zone(id_: str, state: Props) -> tuple[Props, str]:
    """The zone of a resource and its id in the zone, from the state or from an import id such as `zone/record`."""
    zone, _, id_in_zone = id_.rpartition("/")
    return {"zoneId": zone or state.get("zoneId")}, id_in_zone
