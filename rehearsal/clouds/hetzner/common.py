"""Helpers for all Hetzner resources: type tokens, ids, labels, names and errors of the API."""

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

LOCATIONS: Final = ("fsn1", "nbg1", "hel1", "ash", "hil", "sin")

# From hcloud-go, hcloud/labels.go. It is the syntax of Kubernetes labels.
_LABEL_KEY: Final = re.compile(
    r"([a-z0-9A-Z]([-_.a-z0-9A-Z]{0,253}[a-z0-9A-Z])?/)?[a-z0-9A-Z]([-_.a-z0-9A-Z]{0,61}[a-z0-9A-Z])?"
)
_LABEL_VALUE: Final = re.compile(r"(([a-z0-9A-Z][-_.a-z0-9A-Z]{0,61})?[a-z0-9A-Z])?")


def api_error(code: str, message: str) -> ApiError:
    """An error of the API: a message and its code."""
    return ApiError(f"{message} ({code})")


def invalid_input(field: str, message: str) -> ApiError:
    """The error of the API for an invalid input."""
    return api_error("invalid_input", f"invalid input in field '{field}': {message}")


def label_error(labels: Value) -> str | None:
    """The plugin's check of labels."""
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            return f"label key '{key}' is not correctly formatted"
        if value is UNKNOWN:
            continue
        # The real plugin panics for a value that is not a string. The simulation returns an error.
        if not isinstance(value, str):
            return f"label value {value!r} (key: {key}) must be a string"
        if not _LABEL_VALUE.fullmatch(value):
            return f"label value '{value}' (key: {key}) is not correctly formatted"
    return None


def canonical_cidr(text: Value) -> str:
    """The shortest form of an address or CIDR, as a CIDR (validation.go, normalizeIP). Other text is unchanged."""
    try:
        return str(ipaddress.ip_interface(text)) if "/" in text else str(ipaddress.ip_network(text))
    except ValueError:
        return str(text)


def cidr_error(text: Value) -> str | None:
    """The plugin's check of a CIDR (validation.go, validateIPDiag)."""
    cidr = canonical_cidr(text)
    try:
        interface = ipaddress.ip_interface(cidr)
    except ValueError:
        return f"invalid CIDR address: {cidr}"
    if interface.ip != interface.network.network_address:
        return f"{cidr} is not the start of the cidr block {interface.network}"
    return None


def get_resource(cloud: Cloud, token: str, id_: Value, label: str) -> Props:
    """The live properties of the resource with this id. Raises ApiError if it does not exist."""
    live = cloud.of(token).get(str(id_))
    if live is None:
        raise api_error("not_found", f"{label} with ID '{id_}' not found")
    return live


def check_unique_name(cloud: Cloud, token: str, except_id: str | None, props: Props, label: str) -> None:
    """Checks that no other resource of the type has the same name. Raises ApiError."""
    for id_, live in cloud.of(token).items():
        if id_ != except_id and live.get("name") == props.get("name"):
            raise api_error("uniqueness_error", f"{label} name is already used: {props.get('name')}")


def check_location(props: Props, field: str = "location") -> None:
    """Checks that the location exists. Raises ApiError."""
    if props.get(field) and props[field] not in LOCATIONS:
        raise invalid_input(field, f"location {props[field]} not found, there are {', '.join(LOCATIONS)}")
