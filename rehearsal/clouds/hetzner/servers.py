"""Servers (https://docs.hetzner.cloud/reference/cloud#servers).

The state of a server refers to other objects by id or name. An answer contains them.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

from ..cloud import Cloud
from ..store import Object
from . import actions, backups, power, primary_ips
from .catalog import IMAGES, find_image, find_location, find_server_type
from .collection import Body, Collection, required
from .errors import invalid_input
from .firewalls import FIREWALLS, applied
from .networks import attach
from .placement_groups import PLACEMENT_GROUPS, find_with_room
from .server_actions import ACTIONS
from .ssh_keys import SSH_KEYS

_HOSTNAME: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*", re.IGNORECASE)
_MAX_USER_DATA: Final = 32 * 1024


def _shown(cloud: Cloud, server: Object) -> Object:
    meanwhile = actions.status_meanwhile(cloud, "server", server["id"])
    group = server["placement_group"]
    ipv4, ipv6 = (_address(cloud, server, type_) for type_ in ("ipv4", "ipv6"))
    return {
        **{name: value for name, value in server.items() if name != "firewalls"},
        "status": meanwhile or server["status"],
        "locked": meanwhile is not None,
        "public_net": {
            "ipv4": None if ipv4 is None else {**ipv4, "dns_ptr": ipv4["dns_ptr"][0]["dns_ptr"]},
            "ipv6": ipv6,
            "floating_ips": [],
            "firewalls": [{"id": id_, "status": "applied"} for id_ in server["firewalls"]],
        },
        "server_type": find_server_type(server["server_type"]).shown(cloud),
        "location": find_location(server["location"]),
        "image": IMAGES[server["image"]],
        "placement_group": group and PLACEMENT_GROUPS.shown(cloud, PLACEMENT_GROUPS.find(cloud, group)),
        "iso": None,
        "rescue_enabled": False,
        "outgoing_traffic": 0,
        "ingoing_traffic": 0,
        "included_traffic": 0,
        "volumes": [],
        "load_balancers": [],
    }


def _address(cloud: Cloud, server: Object, type_: str) -> Object | None:
    address = primary_ips.of_server(cloud, server["id"], type_)
    return address and {name: address[name] for name in ("id", "ip", "blocked", "dns_ptr")}


def _create(cloud: Cloud, body: Body) -> tuple[Object, Body]:
    server_type = find_server_type(required(body, "server_type"))
    location = find_location(body.get("location") or "nbg1")["name"]
    image = find_image(required(body, "image"), server_type.architecture)
    if not _HOSTNAME.fullmatch(required(body, "name")):
        raise invalid_input("name", f"name '{body['name']}' is not a valid hostname as per RFC 1123")
    if len((body.get("user_data") or "").encode()) > _MAX_USER_DATA:
        raise invalid_input("user_data", f"longer than {_MAX_USER_DATA} bytes")
    if body.get("volumes"):
        raise invalid_input("volumes", "volumes are not simulated")
    keys = [SSH_KEYS.find(cloud, key, by_name=True)["id"] for key in body.get("ssh_keys") or []]
    server_type.refuse_unavailable(cloud, location)
    started = body.get("start_after_create") is not False
    server = SERVERS.add(
        cloud,
        body,
        status="running" if started else "off",
        server_type=server_type.name,
        location=location,
        image=image["id"],
        primary_disk_size=server_type.disk,
        backup_window=None,
        placement_group=find_with_room(cloud, body["placement_group"]) if body.get("placement_group") else None,
        firewalls=applied([FIREWALLS.find(cloud, entry["firewall"])["id"] for entry in body.get("firewalls") or []]),
        private_net=[],
        protection={"delete": False, "rebuild": False},
    )
    primary_ips.assign_to_new(cloud, server, body.get("public_net") or {})
    for network in body.get("networks") or []:
        attach(cloud, server, {"network": network})
    power.boot(cloud, server, body.get("user_data") or "", running=started)
    created, *following = (
        actions.start(cloud, command, "server", server["id"])
        for command in ("create_server", *(["start_server"] if started else []))
    )
    # Hetzner generates a password for a server without keys. Nothing in this simulation accepts it.
    password = None if keys else secrets.token_urlsafe(12)
    return server, {"action": created, "next_actions": following, "root_password": password}


def _delete(cloud: Cloud, server: Object) -> None:
    power.remove(cloud, server)
    primary_ips.unassign_all(cloud, server["id"])
    # Backups are bound to their server.
    backups.delete_all(cloud, server["id"])


SERVERS: Final = Collection(
    name="servers",
    singular="server",
    title="server",
    create=_create,
    delete=_delete,
    actions=ACTIONS,
    shown=_shown,
    filters=("status",),
    delete_command="delete_server",
)
