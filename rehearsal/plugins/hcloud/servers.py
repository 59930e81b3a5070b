"""Servers (terraform-provider-hcloud, internal/server/resource.go)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlencode

from ..client import ApiError, Client
from ..kinds import Created, Kind
from ..values import Props, Value
from . import server_updates
from .objects import invalid_labels, present
from .sets import ordered
from .vendor import act, wait

# SHA-1 in base64.
_USER_DATA_HASH: Final = re.compile(r"[A-Za-z0-9+/]{27}=")


def properties(server: Props, known: Props) -> Props:
    """A server of the API in Pulumi's names. `known` are the properties or inputs so far: they decide what is read."""
    ipv4, ipv6 = ((server["public_net"][type_] or {"ip": ""})["ip"] for type_ in ("ipv4", "ipv6"))
    image, group = server["image"], server["placement_group"]
    read: Props = {
        "name": server["name"],
        "labels": server["labels"],
        "status": server["status"],
        "location": server["location"]["name"],
        "serverType": server["server_type"]["name"],
        "primaryDiskSize": server["primary_disk_size"],
        "ipv4Address": ipv4,
        # The API has the network; the plugin shows its first address.
        "ipv6Address": f"{ipv6.partition('/')[0]}1" if ipv6 else "",
        "ipv6Network": ipv6,
        "backupWindow": server["backup_window"] or "",
        "backups": server["backup_window"] is not None,
        "deleteProtection": server["protection"]["delete"],
        "rebuildProtection": server["protection"]["rebuild"],
        "firewallIds": sorted(firewall["id"] for firewall in server["public_net"]["firewalls"]),
        "image": str(image["id"]) if known.get("image") == str(image["id"]) else image["name"],
        "placementGroupId": None if group is None else group["id"],
    }
    if known.get("networks"):
        read["networks"] = [_network(attachment, known["networks"]) for attachment in server["private_net"]]
    return read


def _network(attachment: Props, known: Iterable[Props]) -> Props:
    id_ = attachment["network"]
    read = {"ip": attachment["ip"], "macAddress": attachment["mac_address"], "networkId": id_}
    for network in known:
        # The API does not return the subnet.
        if str(network.get("subnetId", "")).startswith(f"{id_}-"):
            read["subnetId"] = network["subnetId"]
    return {**read, "aliasIps": sorted(attachment["alias_ips"])}


def _create(client: Client, inputs: Props) -> Created:
    body = _body(client, inputs)
    answer = client.post("servers", body)
    id_ = answer["server"]["id"]
    path = f"servers/{id_}"
    wait(client, answer["action"])
    wait(client, *answer["next_actions"])
    for network in inputs.get("networks") or []:
        server_updates.attach(client, id_, network)
    if body.get("start_after_create") is False:
        act(client, path, "poweron")
    if inputs["backups"]:
        act(client, path, "enable_backup")
    protection = {field: inputs[name] for name, field in server_updates.PROTECTIONS.items()}
    if any(protection.values()):
        act(client, path, "change_protection", protection)
    return Created(str(id_), properties(client.get(path)["server"], inputs))


def _body(client: Client, inputs: Props) -> dict[str, Any]:
    server_type = _lookup(client, "server_types", "server_type", inputs["serverType"])
    if server_type is None:
        raise ApiError(f"server type {inputs['serverType']} not found")
    architecture, name = server_type["architecture"], inputs.get("image") or ""
    image = _lookup(client, "images", "image", name, architecture=architecture, include_deprecated="true")
    if image is None:
        raise ApiError(f"image {name} for architecture {architecture} not found")
    fields = {"name": "name", "serverType": "server_type", "location": "location"}
    body = {**present(inputs, {**fields, "userData": "user_data", "labels": "labels"}), "image": image["id"]}
    for name in inputs.get("sshKeys") or []:
        key = _lookup(client, "ssh_keys", "ssh_key", name)
        if key is None:
            raise ApiError(f"SSH key not found: {name}")
        body.setdefault("ssh_keys", []).append(key["id"])
    if inputs.get("firewallIds"):
        body["firewalls"] = [{"firewall": id_} for id_ in ordered(inputs["firewallIds"])]
    if inputs.get("placementGroupId"):
        body["placement_group"] = server_updates.placement_group(client, inputs["placementGroupId"])
    for block in inputs.get("publicNets") or []:
        net: dict[str, Any] = {type_: block[type_] for type_ in ("ipv4", "ipv6") if block.get(type_)}
        for type_ in ("ipv4", "ipv6"):
            net[f"enable_{type_}"] = bool(block.get(f"{type_}Enabled", True)) or type_ in net
        body["public_net"] = net
        # A server without a public address boots when it is in its private network.
        if inputs.get("networks") and not net["enable_ipv4"] and not net["enable_ipv6"]:
            body["start_after_create"] = False
    return body


def _lookup(client: Client, collection: str, singular: str, value: str, **query: str) -> Props | None:
    """An object by its id if the value is a number, by its name otherwise (hcloud-go, getByIDOrName)."""
    if value.isdigit() and (response := client.find(f"{collection}/{value}")) is not None:
        by_id: Props = response[singular]
        return by_id
    named = client.get(f"{collection}?{urlencode({**query, 'name': value})}")[collection] if value else []
    return next(iter(named), None)


def _read(client: Client, id_: str, known: Props) -> Created | None:
    response = client.find(f"servers/{id_}")
    return None if response is None else Created(id_, properties(response["server"], known))


def _update(client: Client, id_: str, old: Props, new: Props) -> Props:
    path = f"servers/{id_}"
    server_updates.update(client, client.get(path)["server"], old, new)
    return properties(client.get(path)["server"], new)


def _delete(client: Client, id_: str, old: Props) -> None:
    if old.get("shutdownBeforeDeletion"):
        act(client, f"servers/{id_}", "shutdown")
    client.delete(f"servers/{id_}", missing_ok=False)


def _user_data_hash(value: Value) -> str:
    """What the state keeps of user data (userDataHashSum); a hash stays one."""
    text = str(value)
    if _USER_DATA_HASH.fullmatch(text):
        return text
    return base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()


def _empty_image(value: Value) -> str | None:
    return None if value else '"image" must have more than 0 characters. Have you set the name instead of an ID?'


def _empty_key(value: Value) -> str | None:
    return None if value else "Invalid ssh key passed. You need to pass a string with at least 1 character"


KIND: Final = Kind(
    type="hcloud:index/server:Server",
    dialect="sdk2",
    auto_named=True,
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    replaces=frozenset({"image", "location", "userData", "sshKeys"}),
    sets=frozenset({"firewallIds", "publicNets", "networks", "networks.aliasIps"}),
    defaults={
        "backups": False,
        "deleteProtection": False,
        "ignoreRemoteFirewallIds": False,
        "keepDisk": False,
        "rebuildProtection": False,
        "shutdownBeforeDeletion": False,
        "publicNets.ipv4Enabled": True,
        "publicNets.ipv6Enabled": True,
    },
    computed=frozenset(
        {"location", "datacenter", "firewallIds", "publicNets", "networks", "publicNets.ipv4", "publicNets.ipv6"}
        | {"networks.ip", "networks.aliasIps", "networks.macAddress", "networks.networkId", "networks.subnetId"}
    ),
    write_only=frozenset(
        {
            "allowDeprecatedImages",
            "ignoreRemoteFirewallIds",
            "iso",
            "keepDisk",
            "publicNets",
            "rescue",
            "shutdownBeforeDeletion",
            "sshKeys",
            "userData",
        }
    ),
    canonical={"userData": _user_data_hash},
    stored_as={"userData": _user_data_hash},
    validators={"labels": invalid_labels, "image": _empty_image, "sshKeys": _empty_key},
)
