"""Reads and changes the resources of a world's simulated clouds."""

from collections.abc import Mapping
from typing import Any

from rehearsal.clouds import cloudflare, console, hetzner
from rehearsal.clouds.store import Store
from rehearsal.world.world import World

CloudResources = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""The vendors' JSON by collection and ID."""


def cloud_resources(world: World) -> CloudResources:
    """All resources of the simulated Hetzner and Cloudflare. Actions are left out: they finish by themselves."""
    resources: dict[str, Mapping[str, Mapping[str, Any]]] = {}
    for vendor in (hetzner.VENDOR, cloudflare.VENDOR):
        resources |= Store(world.layout.clouds / f"{vendor.name}.json").read().collections
    resources.pop("actions", None)
    return resources


def addresses(resources: CloudResources) -> Mapping[str, str]:
    """The IPv4 address of each server, by the server's name."""
    names = {int(id_): server["name"] for id_, server in resources["servers"].items()}
    return {
        names[address["assignee_id"]]: address["ip"]
        for address in resources["primary_ips"].values()
        if address["type"] == "ipv4" and address["assignee_id"] in names
    }


def delete_server(world: World, name: str) -> None:
    """Deletes a server in the console, where its protection is lifted first."""
    client = console.hetzner(world.layout.clouds)
    server = client.servers.get_by_name(name)
    assert server is not None
    server.change_protection(delete=False, rebuild=False).wait_until_finished()
    server.delete().wait_until_finished()
