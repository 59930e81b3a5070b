"""Servers, the keys put on them, and the groups that keep them apart."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from ..kinds import Cloud, Kind, Made
from ..values import Props, Value
from . import addresses, networks, power, rules
from .rules import api_error, found, invalid
from .server_types import DISKS

_HOSTNAME: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*", re.IGNORECASE)
_IMAGE: Final = re.compile(r"\d+|(ubuntu|debian|fedora|centos-stream|rocky|alma|opensuse)-[\d.]+|docker-ce|[a-z]+-iso")
# SHA-1 in base64.
_USER_DATA_HASH: Final = re.compile(r"[A-Za-z0-9+/]{27}=")
_USER_DATA_LIMIT: Final = 32 * 1024
_GROUP_LIMIT: Final = 10


def user_data_hash(value: Value) -> str:
    """What the provider keeps of user data (resource.go, userDataHashSum); a hash stays one."""
    text = str(value)
    if _USER_DATA_HASH.fullmatch(text):
        return text
    return base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()


def _empty_image(value: Value) -> str | None:
    return None if value else '"image" must have more than 0 characters. Have you set the name instead of an ID?'


def _empty_key(value: Value) -> str | None:
    return None if value else "Invalid ssh key passed. You need to pass a string with at least 1 character"


def _admit(cloud: Cloud, id_: str | None, props: Props) -> None:
    if not _HOSTNAME.fullmatch(props["name"]):
        raise invalid("name", f"name '{props['name']}' is no valid hostname as per RFC 1123")
    rules.unique_name(cloud, rules.SERVER, id_, props, "server")
    if props["serverType"] not in DISKS:
        raise api_error("not_found", f"server type {props['serverType']} not found")
    for firewall in props.get("firewallIds") or []:
        found(cloud, rules.FIREWALL, firewall, "firewall")
    if bool(props.get("deleteProtection")) != bool(props.get("rebuildProtection")):
        raise invalid("delete, rebuild", "delete and rebuild protection must both be on or both be off")
    _admit_group(cloud, id_, props)
    if id_ is not None and DISKS[props["serverType"]] < cloud.of(rules.SERVER)[id_]["primaryDiskSize"]:
        raise api_error("invalid_server_type", f"the disk of server {id_} is larger than that of {props['serverType']}")
    if id_ is None:
        _admit_new(cloud, props)
    for kind in ("ipv4", "ipv6"):
        for net in props.get("publicNets") or []:
            if net.get(kind):
                _admit_address(cloud, id_, props, net[kind])


def _admit_new(cloud: Cloud, props: Props) -> None:
    rules.known_location(props)
    if not props.get("image"):
        raise invalid("image", "a new server needs an image")
    if not _IMAGE.fullmatch(props["image"]):
        raise api_error("not_found", f"image {props['image']} not found")
    if len(props.get("userData") or "") > _USER_DATA_LIMIT:
        raise invalid("user_data", f"longer than {_USER_DATA_LIMIT} bytes")
    for key in props.get("sshKeys") or []:
        if key not in cloud.of(rules.SSH_KEY) and not any(
            live["name"] == key for live in cloud.of(rules.SSH_KEY).values()
        ):
            raise api_error("not_found", f"SSH key not found: {key}")


def _admit_address(cloud: Cloud, id_: str | None, props: Props, address: Value) -> None:
    live = found(cloud, rules.PRIMARY_IP, address, "primary IP")
    if live.get("assigneeId") and str(live["assigneeId"]) != id_:
        raise api_error(
            "primary_ip_assigned", f"primary IP with ID '{address}' is already assigned to server {live['assigneeId']}"
        )
    if props.get("location") and live.get("location") and live["location"] != props["location"]:
        raise invalid(
            "public_net", f"primary IP with ID '{address}' is in {live['location']}, the server in {props['location']}"
        )


def _admit_group(cloud: Cloud, id_: str | None, props: Props) -> None:
    group = props.get("placementGroupId")
    if group:
        members = found(cloud, rules.PLACEMENT_GROUP, group, "placement group")["servers"]
        if len([member for member in members if str(member) != id_]) >= _GROUP_LIMIT:
            raise api_error("placement_error", f"placement group {group} has {_GROUP_LIMIT} servers already")


def _create(cloud: Cloud, props: Props) -> Made:
    id_ = cloud.state.next_id()
    computed: Props = {"status": "running", "backupWindow": "22-02" if props.get("backups") else ""}
    computed["location"] = props.get("location") or (props.get("datacenter") or "nbg1").partition("-")[0]
    computed["firewallIds"] = props.get("firewallIds") or []
    computed["primaryDiskSize"] = DISKS[props["serverType"]]
    computed |= _public_addresses(cloud, id_, props)
    _join_group(cloud, id_, props)
    networks.attach_inline(cloud, id_, props.get("networks") or [])
    power.boot(cloud, {**props, **computed})
    return Made(str(id_), computed)


def _public_addresses(cloud: Cloud, id_: int, props: Props) -> Props:
    """The server's addresses: the primary ones it was given, or new ones of its own."""
    nets: list[Props] = props.get("publicNets") or [{}]
    computed: Props = {}
    for kind in ("ipv4", "ipv6"):
        chosen = next((net[kind] for net in nets if net.get(kind)), None)
        enabled = all(net.get(f"{kind}Enabled", True) for net in nets)
        live: Props = {}
        if chosen:
            live = addresses.assign(cloud, chosen, id_, kind)
        elif enabled:
            live = _own_address(cloud, id_, kind, props)
        computed[f"{kind}Address"] = live.get("ipAddress", "")
        if kind == "ipv6":
            computed["ipv6Network"] = live.get("ipNetwork", "")
    return computed


def _own_address(cloud: Cloud, id_: int, kind: str, props: Props) -> Props:
    held = (
        live for live in cloud.of(rules.PRIMARY_IP).values() if live.get("assigneeId") == id_ and live["type"] == kind
    )
    live = next(held, None)
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
        cloud.of(rules.PRIMARY_IP)[str(number)] = live
    return live


def _give_up_addresses(cloud: Cloud, id_: int, props: Props, old: Props) -> None:
    """As the provider does it (server/resource.go, updatePublicNet): what it did not assign itself, it deletes.

    So a server that got its address when it was ordered loses it for ever, even to a program that names that very address.
    """
    held = cloud.of(rules.PRIMARY_IP)
    for kind in ("ipv4", "ipv6"):
        known, chosen = ({net[kind] for net in one.get("publicNets") or [] if net.get(kind)} for one in (old, props))
        for key in [key for key, live in held.items() if live.get("assigneeId") == id_ and live["type"] == kind]:
            if int(key) in known:
                held[key]["assigneeId"] = 0
            elif chosen:
                if held[key].get("deleteProtection"):
                    raise api_error("protected", f"primary IP with ID '{key}' is delete protected")
                del held[key]


def _join_group(cloud: Cloud, id_: int, props: Props) -> None:
    for key, group in cloud.of(rules.PLACEMENT_GROUP).items():
        others = [member for member in group["servers"] if member != id_]
        group["servers"] = [*others, id_] if key == str(props.get("placementGroupId")) else others


def _refresh(cloud: Cloud, id_: str, props: Props, old: Props) -> Props:
    computed: Props = {"backupWindow": "22-02" if props.get("backups") else ""}
    if not props.get("keepDisk"):
        computed["primaryDiskSize"] = max(DISKS[props["serverType"]], old.get("primaryDiskSize") or 0)
    if props.get("publicNets") != old.get("publicNets"):
        _give_up_addresses(cloud, int(id_), props, old)
        computed |= _public_addresses(cloud, int(id_), props)
    _join_group(cloud, int(id_), props)
    if props["serverType"] != old["serverType"]:
        power.cycle(cloud, {**props, **computed})
    return computed


def _before_delete(cloud: Cloud, id_: str, live: Props) -> None:
    power.remove(cloud, live)
    addresses.unassign_all(cloud, int(id_))
    _join_group(cloud, int(id_), {})
    attached = cloud.of(rules.SERVER_NETWORK)
    for key in [key for key, live in attached.items() if live["serverId"] == int(id_)]:
        del attached[key]
    for volume in cloud.of(rules.VOLUME).values():
        if volume.get("serverId") == int(id_):
            volume["serverId"] = 0


def _create_group(cloud: Cloud, _: Props) -> Made:
    return Made(str(cloud.state.next_id()), {"servers": []})


def _admit_group_name(cloud: Cloud, id_: str | None, props: Props) -> None:
    rules.unique_name(cloud, rules.PLACEMENT_GROUP, id_, props, "placement group")


def _bad_group_type(value: Value) -> str | None:
    return None if value == "spread" else f"{value} is not a valid placement group type"


def _leave_group(_: Cloud, id_: str, live: Props) -> None:
    if live["servers"]:
        raise api_error("resource_in_use", f"placement group with ID '{id_}' still has servers")


def _key_blob(text: str) -> bytes:
    words = text.split()
    try:
        blob = base64.b64decode(words[1], validate=True)
        if int.from_bytes(blob[:4], "big") != len(words[0]) or blob[4 : 4 + len(words[0])] != words[0].encode():
            raise ValueError
    except (IndexError, ValueError):
        raise invalid("public_key", "SSH key is no valid public key in OpenSSH format") from None
    return blob


def _fingerprint(text: str) -> str:
    digest = hashlib.md5(_key_blob(text), usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def _admit_key(cloud: Cloud, id_: str | None, props: Props) -> None:
    rules.unique_name(cloud, rules.SSH_KEY, id_, props, "SSH key")
    fingerprint = _fingerprint(props["publicKey"])
    if any(live["fingerprint"] == fingerprint for key, live in cloud.of(rules.SSH_KEY).items() if key != id_):
        raise api_error("uniqueness_error", "SSH key not unique: the public key is already used")


def _create_key(cloud: Cloud, props: Props) -> Made:
    return Made(str(cloud.state.next_id()), {"fingerprint": _fingerprint(props["publicKey"])})


KINDS: Final = (
    Kind(
        type=rules.SERVER,
        dialect="sdk2",
        named=True,
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
        # The API never tells these again: an import does not know them, and a program that sets them would replace.
        untold=frozenset(
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
        stored={"userData": user_data_hash},
        valid={"labels": rules.bad_labels, "image": _empty_image, "sshKeys": _empty_key},
        admit=_admit,
        refresh=_refresh,
        before_delete=_before_delete,
    ),
    Kind(
        type=rules.SSH_KEY,
        dialect="framework",
        named=True,
        create=_create_key,
        replaces=frozenset({"publicKey"}),
        # The comment behind a key is no part of it.
        canonical={"publicKey": lambda value: " ".join(str(value).split()[:2])},
        valid={"labels": rules.bad_labels},
        admit=_admit_key,
    ),
    Kind(
        type=rules.PLACEMENT_GROUP,
        dialect="sdk2",
        named=True,
        create=_create_group,
        valid={"labels": rules.bad_labels, "type": _bad_group_type},
        admit=_admit_group_name,
        before_delete=_leave_group,
    ),
)
