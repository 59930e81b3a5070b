"""Placement groups (https://docs.hetzner.cloud/reference/cloud#placement-groups)."""

from __future__ import annotations

from typing import Final

from ..cloud import Cloud
from ..store import Object
from .collection import Body, Collection, required
from .errors import RefusedError, invalid_input

# Each server of a spread group runs on another host.
_MAX_SERVERS: Final = 10


def find_with_room(cloud: Cloud, id_: object) -> int:
    """The id of the group if it has room for one more server."""
    group = PLACEMENT_GROUPS.find(cloud, id_)
    if len(_shown(cloud, group)["servers"]) >= _MAX_SERVERS:
        raise RefusedError("placement_error", f"placement group {id_} has {_MAX_SERVERS} servers already")
    return int(group["id"])


def _shown(cloud: Cloud, group: Object) -> Object:
    members = [server["id"] for server in cloud.of("servers").values() if server["placement_group"] == group["id"]]
    return {**group, "servers": members}


def _create(cloud: Cloud, body: Body) -> tuple[Object, Body]:
    if required(body, "type") != "spread":
        raise invalid_input("type", "must be 'spread'")
    return PLACEMENT_GROUPS.add(cloud, body, type="spread"), {"action": None}


def _delete(cloud: Cloud, group: Object) -> None:
    if _shown(cloud, group)["servers"]:
        raise RefusedError("resource_in_use", f"placement group with ID '{group['id']}' still has servers")


PLACEMENT_GROUPS: Final = Collection(
    name="placement_groups",
    singular="placement_group",
    title="placement group",
    create=_create,
    delete=_delete,
    shown=_shown,
)
