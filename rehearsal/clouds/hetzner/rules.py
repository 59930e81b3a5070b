"""What all of Hetzner's resources have in common: tokens, ids, labels, names, the style of the API's errors."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from ..kinds import ApiError, Cloud
from ..values import UNKNOWN, Props, Value

FIREWALL: Final = "hcloud:index/firewall:Firewall"
FIREWALL_ATTACHMENT: Final = "hcloud:index/firewallAttachment:FirewallAttachment"
NETWORK: Final = "hcloud:index/network:Network"
NETWORK_SUBNET: Final = "hcloud:index/networkSubnet:NetworkSubnet"
PLACEMENT_GROUP: Final = "hcloud:index/placementGroup:PlacementGroup"
PRIMARY_IP: Final = "hcloud:index/primaryIp:PrimaryIp"
RDNS: Final = "hcloud:index/rdns:Rdns"
SERVER: Final = "hcloud:index/server:Server"
SERVER_NETWORK: Final = "hcloud:index/serverNetwork:ServerNetwork"
SSH_KEY: Final = "hcloud:index/sshKey:SshKey"
VOLUME: Final = "hcloud:index/volume:Volume"
VOLUME_ATTACHMENT: Final = "hcloud:index/volumeAttachment:VolumeAttachment"

LOCATIONS: Final = ("fsn1", "nbg1", "hel1", "ash", "hil", "sin")

# hcloud-go, hcloud/labels.go: the pattern of Kubernetes labels.
_LABEL_KEY: Final = re.compile(
    r"([a-z0-9A-Z]([-_.a-z0-9A-Z]{0,253}[a-z0-9A-Z])?/)?[a-z0-9A-Z]([-_.a-z0-9A-Z]{0,61}[a-z0-9A-Z])?"
)
_LABEL_VALUE: Final = re.compile(r"(([a-z0-9A-Z][-_.a-z0-9A-Z]{0,61})?[a-z0-9A-Z])?")


def api_error(code: str, message: str) -> ApiError:
    """An error as the API words it: a sentence and its code."""
    return ApiError(f"{message} ({code})")


def invalid(field: str, message: str) -> ApiError:
    """The API's answer to an input that it does not take."""
    return api_error("invalid_input", f"invalid input in field '{field}': {message}")


def bad_labels(labels: Value) -> str | None:
    """The plugin's check of labels."""
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            return f"label key '{key}' is not correctly formatted"
        if value is UNKNOWN:
            continue
        # The real plugin crashes on a value that is no string; here it is only refused.
        if not isinstance(value, str):
            return f"label value {value!r} (key: {key}) must be a string"
        if not _LABEL_VALUE.fullmatch(value):
            return f"label value '{value}' (key: {key}) is not correctly formatted"
    return None


def canonical_cidr(text: Value) -> str:
    """An address with its mask, in its shortest form (validation.go, normalizeIP); anything else as it is."""
    try:
        return str(ipaddress.ip_interface(text)) if "/" in text else str(ipaddress.ip_network(text))
    except ValueError:
        return str(text)


def bad_cidr(text: Value) -> str | None:
    """The plugin's check of a range (validation.go, validateIPDiag)."""
    written = canonical_cidr(text)
    try:
        interface = ipaddress.ip_interface(written)
    except ValueError:
        return f"invalid CIDR address: {written}"
    if interface.ip != interface.network.network_address:
        return f"{written} is not the start of the cidr block {interface.network}"
    return None


def found(cloud: Cloud, token: str, id_: Value, what: str) -> Props:
    """The thing that an input refers to by id."""
    live = cloud.of(token).get(str(id_))
    if live is None:
        raise api_error("not_found", f"{what} with ID '{id_}' not found")
    return live


def unique_name(cloud: Cloud, token: str, own_id: str | None, props: Props, what: str) -> None:
    """Names are unique per project and type."""
    for id_, live in cloud.of(token).items():
        if id_ != own_id and live.get("name") == props.get("name"):
            raise api_error("uniqueness_error", f"{what} name is already used: {props.get('name')}")


def known_location(props: Props, field: str = "location") -> None:
    """The places there are."""
    if props.get(field) and props[field] not in LOCATIONS:
        raise invalid(field, f"location {props[field]} not found, there are {', '.join(LOCATIONS)}")
