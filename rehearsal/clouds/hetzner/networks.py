"""Private networks, their subnets, and the attachments of servers."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator
from typing import Final

from ..kinds import ApiError, Cloud, Created, Kind
from ..values import Props, Value
from . import common
from .common import api_error, get_resource, invalid_input

_ZONES: Final = ("eu-central", "us-east", "us-west", "ap-southeast")


def _range_error(value: Value) -> str | None:
    try:
        ipaddress.ip_interface(value)
    except ValueError:
        return f'expected "ip_range" to be a valid IPv4 Value, got {value}: invalid CIDR address: {value}'
    return (
        None
        if "/" in value
        else f'expected "ip_range" to be a valid IPv4 Value, got {value}: invalid CIDR address: {value}'
    )


def _subnet_type_error(value: Value) -> str | None:
    kinds = ("cloud", "server", "vswitch")
    return None if value in kinds else f'expected type to be one of ["cloud" "server" "vswitch"], got {value}'


def _network_range(text: str, field: str) -> ipaddress.IPv4Network:
    try:
        if "/" not in text:
            raise ValueError
        return ipaddress.IPv4Network(text)
    except ValueError:
        raise invalid_input(field, f"{text} is not an IPv4 network, or has host bits set") from None


def _validate_network(cloud: Cloud, id_: str | None, props: Props) -> None:
    common.check_unique_name(cloud, common.NETWORK, id_, props, "network")
    if not _network_range(props["ipRange"], "ip_range").is_private:
        raise invalid_input("ip_range", f"{props['ipRange']} is not a private range of RFC 1918")


def _create_network(cloud: Cloud, _: Props) -> Created:
    return Created(str(cloud.state.next_id()), {})


def _delete_network(cloud: Cloud, id_: str, _: Props) -> None:
    for token in (common.NETWORK_SUBNET, common.SERVER_NETWORK):
        cloud.state.resources[token] = {
            key: live for key, live in cloud.of(token).items() if live.get("networkId") != int(id_)
        }


def _validate_subnet(cloud: Cloud, _: str | None, props: Props) -> None:
    network = get_resource(cloud, common.NETWORK, props["networkId"], "network")
    subnet = _network_range(props["ipRange"], "ip_range")
    if not subnet.subnet_of(ipaddress.IPv4Network(network["ipRange"])):
        raise invalid_input("ip_range", f"{subnet} is not in the network's range {network['ipRange']}")
    if props["networkZone"] not in _ZONES:
        raise invalid_input("network_zone", f"{props['networkZone']} is none of {', '.join(_ZONES)}")
    for live in cloud.of(common.NETWORK_SUBNET).values():
        if live["networkId"] == props["networkId"] and subnet.overlaps(ipaddress.IPv4Network(live["ipRange"])):
            raise invalid_input("ip_range", f"{subnet} overlaps with {live['ipRange']}")


def _create_subnet(cloud: Cloud, props: Props) -> Created:
    network = ipaddress.IPv4Network(get_resource(cloud, common.NETWORK, props["networkId"], "network")["ipRange"])
    # The gateway of every subnet is the first address of the network.
    return Created(f"{props['networkId']}-{props['ipRange']}", {"gateway": str(network[1])})


def _check_attachment(props: Props) -> Iterator[str]:
    configured = [key for key in ("networkId", "subnetId") if props.get(key) is not None]
    requirement = "Exactly one of these attributes must be configured: [network_id,subnet_id]"
    if not configured:
        yield f"Missing Attribute Configuration: {requirement}"
    elif len(configured) > 1:
        yield f"Invalid Attribute Combination: {requirement}"


def _network_and_subnets(cloud: Cloud, props: Props) -> tuple[int, list[ipaddress.IPv4Network]]:
    """The network of an attachment, and the subnets from which the server can get an address."""
    subnets = cloud.of(common.NETWORK_SUBNET)
    if props.get("subnetId"):
        subnet = subnets.get(props["subnetId"])
        if subnet is None:
            raise api_error("not_found", f"subnet with ID '{props['subnetId']}' not found")
        return int(subnet["networkId"]), [ipaddress.IPv4Network(subnet["ipRange"])]
    return int(props["networkId"]), [
        ipaddress.IPv4Network(live["ipRange"]) for live in subnets.values() if live["networkId"] == props["networkId"]
    ]


def _validate_attachment(cloud: Cloud, id_: str | None, props: Props) -> None:
    get_resource(cloud, common.SERVER, props["serverId"], "server")
    _validate_network_of(cloud, id_, props)


def _validate_network_of(cloud: Cloud, id_: str | None, props: Props) -> None:
    network, _ = _network_and_subnets(cloud, props)
    get_resource(cloud, common.NETWORK, network, "network")
    if id_ is None and f"{props['serverId']}-{network}" in cloud.of(common.SERVER_NETWORK):
        raise api_error(
            "server_already_attached", f"server {props['serverId']} is already attached to network {network}"
        )


def _create_attachment(cloud: Cloud, props: Props) -> Created:
    network, subnets = _network_and_subnets(cloud, props)
    used = {live["ip"] for live in cloud.of(common.SERVER_NETWORK).values() if live["networkId"] == network}
    ip = props.get("ip") or _free_address(subnets, used)
    if ip in used:
        raise api_error("ip_not_available", f"ip {ip} is not available in network {network}")
    if not any(ipaddress.IPv4Address(ip) in subnet for subnet in subnets):
        raise api_error("ip_not_available", f"ip {ip} is in no subnet of network {network}")
    number = cloud.state.next_id()
    mac = "86:00:00:" + ":".join(f"{number >> shift & 255:02x}" for shift in (16, 8, 0))
    return Created(f"{props['serverId']}-{network}", {"ip": ip, "networkId": network, "macAddress": mac})


def _free_address(subnets: list[ipaddress.IPv4Network], used: set[str]) -> str:
    for subnet in subnets:
        # Hetzner does not assign the first host address of a subnet, which can be the gateway.
        for address in itertools.islice(subnet.hosts(), 1, None):
            if str(address) not in used:
                return str(address)
    raise api_error("no_subnet_available", "no subnet or IP available")


def attach_inline(cloud: Cloud, server: int, networks: list[Props]) -> None:
    """Creates the attachments in the input `networks` of a server. They are not resources of the program."""
    for attachment in networks:
        props = {**attachment, "serverId": server}
        if not attachment.get("networkId") and not attachment.get("subnetId"):
            raise ApiError("network: either network_id or subnet_id must be set")
        # Without a check of the server, which is not in the state yet.
        _validate_network_of(cloud, None, props)
        created = _create_attachment(cloud, props)
        cloud.of(common.SERVER_NETWORK)[created.id] = {**props, **created.computed}


def _import_attachment(inputs: Props) -> Props:
    # networkId and subnetId exclude each other.
    return {name: value for name, value in inputs.items() if name != "networkId" or "subnetId" not in inputs}


KINDS: Final = (
    Kind(
        type=common.NETWORK,
        dialect="sdk2",
        auto_named=True,
        create=_create_network,
        replaces=frozenset({"ipRange"}),
        defaults={"deleteProtection": False, "exposeRoutesToVswitch": False},
        validators={"labels": common.label_error, "ipRange": _range_error},
        validate=_validate_network,
        before_delete=_delete_network,
    ),
    Kind(
        type=common.NETWORK_SUBNET,
        dialect="sdk2",
        create=_create_subnet,
        replaces=frozenset({"ipRange", "networkId", "networkZone", "type", "vswitchId"}),
        validators={"type": _subnet_type_error},
        validate=_validate_subnet,
        delete_before_replace=True,
    ),
    Kind(
        type=common.SERVER_NETWORK,
        dialect="framework",
        create=_create_attachment,
        replaces=frozenset({"serverId", "networkId", "subnetId", "ip"}),
        sets=frozenset({"aliasIps"}),
        computed=frozenset({"ip", "networkId"}),
        check=_check_attachment,
        validate=_validate_attachment,
        import_inputs=_import_attachment,
        delete_before_replace=True,
    ),
)
