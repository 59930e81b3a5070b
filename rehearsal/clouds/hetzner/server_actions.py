"""Actions of servers (https://docs.hetzner.cloud/reference/cloud#server-actions)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..cloud import Cloud
from ..store import Object
from . import backups, networks, power
from .catalog import find_image, find_server_type
from .collection import Act, Body, required
from .errors import RefusedError, invalid_input
from .placement_groups import find_with_room
from .primary_ips import refuse_running


def _poweron(cloud: Cloud, server: Object, _: Body) -> None:
    if server["status"] == "off":
        server["status"] = "running"
        power.start(cloud, server)


def _poweroff(cloud: Cloud, server: Object, _: Body) -> None:
    if server["status"] == "running":
        server["status"] = "off"
        power.stop(cloud, server)


def _reboot(cloud: Cloud, server: Object, _: Body) -> None:
    if server["status"] == "off":
        raise RefusedError("service_error", f"server {server['id']} is powered off")
    power.power_cycle(cloud, server)


def _change_protection(_: Cloud, server: Object, body: Body) -> None:
    protection = {name: bool(body.get(name, value)) for name, value in server["protection"].items()}
    if protection["delete"] != protection["rebuild"]:
        raise invalid_input("delete, rebuild", "delete and rebuild protection must both be on or both be off")
    server["protection"] = protection


def _change_type(cloud: Cloud, server: Object, body: Body) -> None:
    """Copies the disk, and starts the server again."""
    server_type = find_server_type(required(body, "server_type"))
    refuse_running(server)
    if server_type.architecture != find_server_type(server["server_type"]).architecture:
        raise RefusedError("invalid_server_type", "the processor architecture of a server cannot change")
    if server_type.disk < server["primary_disk_size"]:
        message = f"the disk of server {server['id']} is larger than that of {server_type.name}"
        raise RefusedError("invalid_server_type", message)
    server_type.refuse_unavailable(cloud, server["location"])
    server |= {"server_type": server_type.name, "status": "running"}
    if required(body, "upgrade_disk"):
        server["primary_disk_size"] = server_type.disk
    power.power_cycle(cloud, server)


def _rebuild(cloud: Cloud, server: Object, body: Body) -> None:
    if server["protection"]["rebuild"]:
        raise RefusedError("protected", "server rebuild is protected")
    image = find_image(required(body, "image"), find_server_type(server["server_type"]).architecture)
    server |= {"image": image["id"], "status": "running"}
    power.remove(cloud, server)
    power.boot(cloud, server, body.get("user_data") or "", running=True)


def _enable_backup(cloud: Cloud, server: Object, _: Body) -> None:
    server["backup_window"] = "22-02"
    backups.create(cloud, server)


def _disable_backup(cloud: Cloud, server: Object, _: Body) -> None:
    """Also deletes all existing backups of the server."""
    server["backup_window"] = None
    backups.delete_all(cloud, server["id"])


def _add_to_placement_group(cloud: Cloud, server: Object, body: Body) -> None:
    refuse_running(server)
    server["placement_group"] = find_with_room(cloud, required(body, "placement_group"))


def _remove_from_placement_group(_: Cloud, server: Object, __: Body) -> None:
    server["placement_group"] = None


ACTIONS: Final[Mapping[str, tuple[str, Act]]] = {
    "poweron": ("start_server", _poweron),
    "poweroff": ("stop_server", _poweroff),
    "shutdown": ("shutdown_server", _poweroff),
    "reboot": ("reboot_server", _reboot),
    "change_protection": ("change_protection", _change_protection),
    "change_type": ("change_server_type", _change_type),
    "rebuild": ("rebuild_server", _rebuild),
    "enable_backup": ("enable_backup", _enable_backup),
    "disable_backup": ("disable_backup", _disable_backup),
    "attach_to_network": ("attach_to_network", networks.attach),
    "detach_from_network": ("detach_from_network", networks.detach),
    "change_alias_ips": ("change_alias_ips", networks.change_alias_ips),
    "add_to_placement_group": ("add_to_placement_group", _add_to_placement_group),
    "remove_from_placement_group": ("remove_from_placement_group", _remove_from_placement_group),
}
"""By the last part of their paths, each with the command that the action is named by."""
