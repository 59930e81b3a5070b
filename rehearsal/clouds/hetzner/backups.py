"""Backups of servers: images of the type `backup` (https://docs.hetzner.cloud/reference/cloud#images)."""

from __future__ import annotations

from ..cloud import Cloud
from ..store import Object
from . import actions
from .catalog import find_server_type


def create(cloud: Cloud, server: Object) -> None:
    """Makes a backup. Hetzner makes one every day in the server's backup window; here, the first one exists at once."""
    id_ = cloud.state.next_id()
    cloud.of("images")[str(id_)] = {
        "id": id_,
        "type": "backup",
        "status": "available",
        "name": None,
        "description": f"Backup of {server['name']}",
        "disk_size": float(server["primary_disk_size"]),
        "architecture": find_server_type(server["server_type"]).architecture,
        "protection": {"delete": False},
        "labels": {},
        "image_size": 1.0,
        "created": actions.now(),
        "created_from": {"id": server["id"], "name": server["name"]},
        "bound_to": server["id"],
        **dict.fromkeys(("os_flavor", "os_version", "deprecated", "deleted")),
    }


def delete_all(cloud: Cloud, server: int) -> None:
    """Deletes the backups of a server."""
    images = cloud.of("images")
    for id_ in [id_ for id_, image in images.items() if image["bound_to"] == server]:
        del images[id_]
