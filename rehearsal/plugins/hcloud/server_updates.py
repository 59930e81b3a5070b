"""Updates of a server in place (terraform-provider-hcloud, internal/server/resource.go, resourceServerUpdate)."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any, Final

from ..client import ApiError, Client
from ..values import Props
from .firewalls import target
from .networks import parse_subnet_id
from .objects import changes
from .primary_ips import assign, unassign
from .sets import ordered
from .vendor import act, wait

PROTECTIONS: Final = {"rebuildProtection": "rebuild", "deleteProtection": "delete"}


def update(client: Client, server: Props, old: Props, new: Props) -> None:
    """Sends the requests in the order of the real plugin. `server` is what the API returned before."""
    path = f"servers/{server['id']}"
    for field, value in changes(old, new, {"name": "name", "labels": "labels"}).items():
        client.put(path, {field: value})
    if "serverType" in changes(old, new, {"serverType": "serverType"}):
        if server["status"] == "running":
            act(client, path, "poweroff")
        act(client, path, "change_type", {"server_type": new["serverType"], "upgrade_disk": not new["keepDisk"]})
    if new["backups"] != (server["backup_window"] is not None):
        act(client, path, "enable_backup" if new["backups"] else "disable_backup")
    if "networks" in new and new["networks"] != old.get("networks"):
        _change_networks(client, server, new["networks"])
    if "firewallIds" in new:
        _change_firewalls(client, server, new["firewallIds"])
    if "publicNets" in new:
        _change_public_nets(client, server, old.get("publicNets") or [], new["publicNets"])
    if new.get("placementGroupId") != old.get("placementGroupId"):
        _change_placement_group(client, server, new.get("placementGroupId"))
    if changes(old, new, PROTECTIONS):
        act(client, path, "change_protection", {field: new[name] for name, field in PROTECTIONS.items()})


def attach(client: Client, server: int, declared: Props) -> None:
    """Attaches a server to the network or subnet of `declared`."""
    body: dict[str, Any] = {"network": _network_id(declared)}
    if declared.get("subnetId"):
        body["ip_range"] = parse_subnet_id(declared["subnetId"])[1]
    if declared.get("ip"):
        body["ip"] = declared["ip"]
    if declared.get("aliasIps"):
        body["alias_ips"] = declared["aliasIps"]
    act(client, f"servers/{server}", "attach_to_network", body)


def placement_group(client: Client, id_: int) -> int:
    """The id of a placement group; raises an ApiError if it does not exist."""
    if client.find(f"placement_groups/{id_}") is None:
        raise ApiError(f"placement group not found: {id_}")
    return id_


def _network_id(declared: Props) -> int:
    if not declared.get("subnetId") and not declared.get("networkId"):
        raise ApiError("either subnet_id or network_id must be set")
    return parse_subnet_id(declared["subnetId"])[0] if declared.get("subnetId") else int(declared["networkId"])


def _change_networks(client: Client, server: Props, declared: Iterable[Props]) -> None:
    path, missing = f"servers/{server['id']}", {_network_id(network): network for network in declared}
    for attachment in server["private_net"]:
        id_ = attachment["network"]
        network = missing.get(id_)
        if network is None or network.get("ip", attachment["ip"]) != attachment["ip"]:
            # The API cannot change an address in place.
            act(client, path, "detach_from_network", {"network": id_})
            continue
        del missing[id_]
        if set(network.get("aliasIps") or []) != set(attachment["alias_ips"]):
            alias_ips = ordered(network.get("aliasIps") or [])
            act(client, path, "change_alias_ips", {"network": id_, "alias_ips": alias_ips})
    for network in missing.values():
        attach(client, server["id"], network)


def _change_firewalls(client: Client, server: Props, declared: Iterable[int]) -> None:
    applied, resources = [firewall["id"] for firewall in server["public_net"]["firewalls"]], [target(server["id"])]
    for id_ in applied:
        if id_ not in declared:
            act(client, f"firewalls/{id_}", "remove_from_resources", {"remove_from": resources})
    for id_ in ordered(declared):
        if id_ not in applied:
            act(client, f"firewalls/{id_}", "apply_to_resources", {"apply_to": resources})


def _change_placement_group(client: Client, server: Props, group: int | None) -> None:
    path = f"servers/{server['id']}"
    if server["placement_group"] is not None:
        if server["status"] != "off":
            raise ApiError(
                "removing a running server from a placement group is currently not supported in the provider. You can "
                "shutdown the server yourself, apply the changes again and then start the server manually as a "
                "workaround"
            )
        act(client, path, "remove_from_placement_group")
    if group:
        act(client, path, "add_to_placement_group", {"placement_group": placement_group(client, group)})


def _change_public_nets(client: Client, server: Props, old: Iterable[Props], new: Iterable[Props]) -> None:
    """Exchanges the addresses of a server (updatePublicNet), which the plugin powers off for it.

    The plugin deletes an address that it did not assign itself. A server that got its address when it was ordered loses
    it for ever, even to a program that names that very address.
    """
    before, after = ([_block(block) for block in blocks] for blocks in (old, new))
    removed = next((block for block in before if block not in after), _block({}))
    added = next((block for block in after if block not in before), _block({}))
    if removed == added:
        return
    path = f"servers/{server['id']}"
    act(client, path, "poweroff")
    try:
        for type_ in ("ipv4", "ipv6"):
            net = server["public_net"][type_]
            _exchange(client, server["id"], type_, 0 if net is None else net["id"], (removed, added))
    finally:
        act(client, path, "poweron")


def _block(block: Props) -> dict[str, int]:
    enabled = {f"{type_}Enabled": bool(block.get(f"{type_}Enabled", True)) for type_ in ("ipv4", "ipv6")}
    return {**enabled, **{type_: block.get(type_) or 0 for type_ in ("ipv4", "ipv6")}}


def _exchange(
    client: Client, server: int, type_: str, current: int, blocks: tuple[dict[str, int], dict[str, int]]
) -> None:
    (was_enabled, old), (enabled, new) = ((block[f"{type_}Enabled"], block[type_]) for block in blocks)
    if not enabled and new:
        raise ApiError(f"this operation is not allowed: {type_}_enabled = false | {type_} = {new}")
    if (was_enabled, old) == (enabled, new):
        return
    if current:
        unassign(client, current)
        if not old:
            client.delete(f"primary_ips/{current}")
    if new:
        assign(client, new, server)
    elif enabled:
        # As Hetzner names an address that is created with its server.
        name = f"primary_ip-{random.randint(1_000_000, 9_999_999)}"  # noqa: S311  # a name is no secret
        body = {"name": name, "type": type_, "auto_delete": True}
        wait(client, client.post("primary_ips", {**body, "assignee_id": server, "assignee_type": "server"})["action"])
