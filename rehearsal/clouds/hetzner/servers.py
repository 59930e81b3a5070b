"""Servers and placement groups."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from ..kinds import Cloud, Created, Kind
from ..values import Props, Value
from . import addresses, common, networks, power
from .common import api_error, get_resource, invalid_input
from .server_types import DISKS

_HOSTNAME: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*", re.IGNORECASE)
_IMAGE: Final = re.compile(r"\d+|(ubuntu|debian|fedora|centos-stream|rocky|alma|opensuse)-[\d.]+|docker-ce|[a-z]+-iso")
# The base64 encoding of a SHA-1 hash.
_USER_DATA_HASH: Final = re.compile(r"[A-Za-z0-9+/]{27}=")
_USER_DATA_LIMIT: Final = 32 * 1024
_GROUP_LIMIT: Final = 10


def user_data_hash(value: Value) -> str:
    """The hash that the provider stores instead of user data (resource.go, userDataHashSum). It keeps a hash as is."""
    text = str(value)
    if _USER_DATA_HASH.fullmatch(text):
        return text
    return base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()


def _image_error(value: Value) -> str | None:
    return None if value else '"image" must have more than 0 characters. Have you set the name instead of an ID?'


def _ssh_key_error(value: Value) -> str | None:
    return None if value else "Invalid ssh key passed. You need to pass a string with at least 1 character"


def _validate(cloud: Cloud, id_: str | None, props: Props) -> None:
    if not _HOSTNAME.fullmatch(props["name"]):
        raise invalid_input("name", f"name '{props['name']}' is not a valid hostname as per RFC 1123")
    common.check_unique_name(cloud, common.SERVER, id_, props, "server")
    if props["serverType"] not in DISKS:
        raise api_error("not_found", f"server type {props['serverType']} not found")
    for firewall in props.get("firewallIds") or []:
        get_resource(cloud, common.FIREWALL, firewall, "firewall")
    if bool(props.get("deleteProtection")) != bool(props.get("rebuildProtection")):
        raise invalid_input("delete, rebuild", "delete and rebuild protection must both be on or both be off")
    _validate_group(cloud, id_, props)
    if id_ is not None and DISKS[props["serverType"]] < cloud.of(common.SERVER)[id_]["primaryDiskSize"]:
        raise api_error("invalid_server_type", f"the disk of server {id_} is larger than that of {props['serverType']}")
    if id_ is None:
        _validate_new(cloud, props)
    for kind in ("ipv4", "ipv6"):
        for net in props.get("publicNets") or []:
            if net.get(kind):
                _validate_address(cloud, id_, props, net[kind])


def _validate_new(cloud: Cloud, props: Props) -> None:
    common.check_location(props)
    if not props.get("image"):
        raise invalid_input("image", "a new server needs an image")
    if not _IMAGE.fullmatch(props["image"]):
        raise api_error("not_found", f"image {props['image']} not found")
    if len(props.get("userData") or "") > _USER_DATA_LIMIT:
        raise invalid_input("user_data", f"longer than {_USER_DATA_LIMIT} bytes")
    for key in props.get("sshKeys") or []:
        if key not in cloud.of(common.SSH_KEY) and not any(
            live["name"] == key for live in cloud.of(common.SSH_KEY).values()
        ):
            raise api_error("not_found", f"SSH key not found: {key}")


def _validate_address(cloud: Cloud, id_: str | None, props: Props, address: Value) -> None:
    live = get_resource(cloud, common.PRIMARY_IP, address, "primary IP")
    if live.get("assigneeId") and str(live["assigneeId"]) != id_:
        raise api_error(
            "primary_ip_assigned", f"primary IP with ID '{address}' is already assigned to server {live['assigneeId']}"
        )
    if props.get("location") and live.get("location") and live["location"] != props["location"]:
        raise invalid_input(
            "public_net", f"primary IP with ID '{address}' is in {live['location']}, the server in {props['location']}"
        )


def _validate_group(cloud: Cloud, id_: str | None, props: Props) -> None:
    group = props.get("placementGroupId")
    if group:
        members = get_resource(cloud, common.PLACEMENT_GROUP, group, "placement group")["servers"]
        if len([member for member in members if str(member) != id_]) >= _GROUP_LIMIT:
            raise api_error("placement_error", f"placement group {group} has {_GROUP_LIMIT} servers already")


def _create(cloud: Cloud, props: Props) -> Created:
    id_ = cloud.state.next_id()
    computed: Props = {"status": "running", "backupWindow": "22-02" if props.get("backups") else ""}
    computed["location"] = props.get("location") or (props.get("datacenter") or "nbg1").partition("-")[0]
    computed["firewallIds"] = props.get("firewallIds") or []
    computed["primaryDiskSize"] = DISKS[props["serverType"]]
    computed |= _public_addresses(cloud, id_, props)
    _set_group(cloud, id_, props)
    networks.attach_inline(cloud, id_, props.get("networks") or [])
    power.boot(cloud, {**props, **computed})
    return Created(str(id_), computed)


def _public_addresses(cloud: Cloud, id_: int, props: Props) -> Props:
    """Assigns the primary IPs in the inputs, or creates new ones with auto-delete."""
    nets: list[Props] = props.get("publicNets") or [{}]
    computed: Props = {}
    for kind in ("ipv4", "ipv6"):
        primary_ip = next((net[kind] for net in nets if net.get(kind)), None)
        enabled = all(net.get(f"{kind}Enabled", True) for net in nets)
        live: Props = {}
        if primary_ip:
            live = addresses.assign(cloud, primary_ip, id_, kind)
        elif enabled:
            live = _automatic_address(cloud, id_, kind, props)
        computed[f"{kind}Address"] = live.get("ipAddress", "")
        if kind == "ipv6":
            computed["ipv6Network"] = live.get("ipNetwork", "")
    return computed


def _automatic_address(cloud: Cloud, id_: int, kind: str, props: Props) -> Props:
    assigned = (
        live for live in cloud.of(common.PRIMARY_IP).values() if live.get("assigneeId") == id_ and live["type"] == kind
    )
    live = next(assigned, None)
    if live is None:
        number = cloud.state.next_id()
        live = {
            "name": f"primary_ip-{number}",
            "type": kind,
            "assigneeId": id_,
            "assigneeType": "server",
            "autoDelete": True,
        }
        live |= {"location": props.get("location"), **addresses.allocate(cloud, props["name"], kind)}
        cloud.of(common.PRIMARY_IP)[str(number)] = live
    return live


def _release_addresses(cloud: Cloud, id_: int, props: Props, old: Props) -> None:
    """Unassigns or deletes primary IPs before an update, as the provider does (server/resource.go, updatePublicNet).

    The provider deletes a primary IP that it has not assigned itself. A server that got its address when it was ordered
    therefore loses the address, even if the program names it.
    """
    primary_ips = cloud.of(common.PRIMARY_IP)
    for kind in ("ipv4", "ipv6"):
        before, after = (
            {net[kind] for net in inputs.get("publicNets") or [] if net.get(kind)} for inputs in (old, props)
        )
        for key in [key for key, live in primary_ips.items() if live.get("assigneeId") == id_ and live["type"] == kind]:
            if int(key) in before:
                primary_ips[key]["assigneeId"] = 0
            elif after:
                if primary_ips[key].get("deleteProtection"):
                    raise api_error("protected", f"primary IP with ID '{key}' is delete protected")
                del primary_ips[key]


def _set_group(cloud: Cloud, id_: int, props: Props) -> None:
    for key, group in cloud.of(common.PLACEMENT_GROUP).items():
        others = [member for member in group["servers"] if member != id_]
        group["servers"] = [*others, id_] if key == str(props.get("placementGroupId")) else others


def _after_update(cloud: Cloud, id_: str, props: Props, old: Props) -> Props:
    computed: Props = {"backupWindow": "22-02" if props.get("backups") else ""}
    if not props.get("keepDisk"):
        computed["primaryDiskSize"] = max(DISKS[props["serverType"]], old.get("primaryDiskSize") or 0)
    if props.get("publicNets") != old.get("publicNets"):
        _release_addresses(cloud, int(id_), props, old)
        computed |= _public_addresses(cloud, int(id_), props)
    _set_group(cloud, int(id_), props)
    if props["serverType"] != old["serverType"]:
        power.power_cycle(cloud, {**props, **computed})
    return computed


def _before_delete(cloud: Cloud, id_: str, live: Props) -> None:
    power.remove(cloud, live)
    addresses.unassign_all(cloud, int(id_))
    _set_group(cloud, int(id_), {})
    attached = cloud.of(common.SERVER_NETWORK)
    for key in [key for key, live in attached.items() if live["serverId"] == int(id_)]:
        del attached[key]


def _create_group(cloud: Cloud, _: Props) -> Created:
    return Created(str(cloud.state.next_id()), {"servers": []})


def _validate_group_name(cloud: Cloud, id_: str | None, props: Props) -> None:
    common.check_unique_name(cloud, common.PLACEMENT_GROUP, id_, props, "placement group")


def _group_type_error(value: Value) -> str | None:
    return None if value == "spread" else f"{value} is not a valid placement group type"


def _check_group_is_empty(_: Cloud, id_: str, live: Props) -> None:
    if live["servers"]:
        raise api_error("resource_in_use", f"placement group with ID '{id_}' still has servers")


KINDS: Final = (
    Kind(
        type=common.SERVER,
        dialect="sdk2",
        auto_named=True,
        create=_create,
        replaces=frozenset({"image", "location", "datacenter", "userData", "sshKeys"}),
        sets=frozenset({"firewallIds", "publicNets", "networks", "networks.aliasIps"}),
        defaults={
            "allowDeprecatedImages": False,
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
            | {"networks.ip", "networks.aliasIps", "networks.macAddress"}
        ),
        # The API does not return these. An import lacks them, and a program that sets them would replace the server.
        write_only=frozenset(
            {
                "allowDeprecatedImages",
                "ignoreRemoteFirewallIds",
                "keepDisk",
                "shutdownBeforeDeletion",
                "sshKeys",
                "userData",
                "rescue",
            }
        ),
        canonical={"userData": user_data_hash},
        stored_as={"userData": user_data_hash},
        validators={"labels": common.label_error, "image": _image_error, "sshKeys": _ssh_key_error},
        validate=_validate,
        after_update=_after_update,
        before_delete=_before_delete,
    ),
    Kind(
        type=common.PLACEMENT_GROUP,
        dialect="sdk2",
        auto_named=True,
        create=_create_group,
        validators={"labels": common.label_error, "type": _group_type_error},
        validate=_validate_group_name,
        before_delete=_check_group_is_empty,
    ),
)
