"""Private networks, their subnets, and servers in them."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator
from typing import Final

from ..kinds import ApiError, Cloud, Kind, Made
from ..values import Props, Value
from . import rules
from .rules import api_error, found, invalid

_ZONES: Final = ("eu-central", "us-east", "us-west", "ap-southeast")


def _bad_range(value: Value) -> str | None:
    try:
        ipaddress.ip_interface(value)
    except ValueError:
        return f'expected "ip_range" to be a valid IPv4 Value, got {value}: invalid CIDR address: {value}'
    return (
        None
        if "/" in value
        else f'expected "ip_range" to be a valid IPv4 Value, got {value}: invalid CIDR address: {value}'
    )


def _bad_subnet_type(value: Value) -> str | None:
    kinds = ("cloud", "server", "vswitch")
    return None if value in kinds else f'expected type to be one of ["cloud" "server" "vswitch"], got {value}'


def _network_range(text: str, field: str) -> ipaddress.IPv4Network:
    try:
        if "/" not in text:
            raise ValueError
        return ipaddress.IPv4Network(text)
    except ValueError:
        raise invalid(field, f"{text} is no IPv4 network, or has bits set behind its mask") from None


def _admit_network(cloud: Cloud, id_: str | None, props: Props) -> None:
    rules.unique_name(cloud, rules.NETWORK, id_, props, "network")
    if not _network_range(props["ipRange"], "ip_range").is_private:
        raise invalid("ip_range", f"{props['ipRange']} is not of the private ranges of RFC 1918")


def _create_network(cloud: Cloud, _: Props) -> Made:
    return Made(str(cloud.state.next_id()), {})


def _delete_network(cloud: Cloud, id_: str, _: Props) -> None:
    for token in (rules.NETWORK_SUBNET, rules.SERVER_NETWORK):
        cloud.state.resources[token] = {
            key: live for key, live in cloud.of(token).items() if live.get("networkId") != int(id_)
        }


def _admit_subnet(cloud: Cloud, _: str | None, props: Props) -> None:
    network = found(cloud, rules.NETWORK, props["networkId"], "network")
    wanted = _network_range(props["ipRange"], "ip_range")
    if not wanted.subnet_of(ipaddress.IPv4Network(network["ipRange"])):
        raise invalid("ip_range", f"{wanted} is not in the network's range {network['ipRange']}")
    if props["networkZone"] not in _ZONES:
        raise invalid("network_zone", f"{props['networkZone']} is none of {', '.join(_ZONES)}")
    for live in cloud.of(rules.NETWORK_SUBNET).values():
        if live["networkId"] == props["networkId"] and wanted.overlaps(ipaddress.IPv4Network(live["ipRange"])):
            raise invalid("ip_range", f"{wanted} overlaps with {live['ipRange']}")


def _create_subnet(cloud: Cloud, props: Props) -> Made:
    network = ipaddress.IPv4Network(found(cloud, rules.NETWORK, props["networkId"], "network")["ipRange"])
    # The gateway is the first address of the whole network, whatever the subnet.
    return Made(f"{props['networkId']}-{props['ipRange']}", {"gateway": str(network[1])})


def _one_place(props: Props) -> Iterator[str]:
    given = [
        name for name, key in (("network_id", "networkId"), ("subnet_id", "subnetId")) if props.get(key) is not None
    ]
    if not given:
        yield "Missing Attribute Configuration: Exactly one of these attributes must be configured: [network_id,subnet_id]"
    elif len(given) > 1:
        yield "Invalid Attribute Combination: Exactly one of these attributes must be configured: [network_id,subnet_id]"


def _place(cloud: Cloud, props: Props) -> tuple[int, list[ipaddress.IPv4Network]]:
    """The network a server goes to, and the subnets it may get an address from."""
    subnets = cloud.of(rules.NETWORK_SUBNET)
    if props.get("subnetId"):
        subnet = subnets.get(props["subnetId"])
        if subnet is None:
            raise api_error("not_found", f"subnet with ID '{props['subnetId']}' not found")
        return int(subnet["networkId"]), [ipaddress.IPv4Network(subnet["ipRange"])]
    return int(props["networkId"]), [
        ipaddress.IPv4Network(live["ipRange"]) for live in subnets.values() if live["networkId"] == props["networkId"]
    ]


def _admit_attachment(cloud: Cloud, id_: str | None, props: Props) -> None:
    found(cloud, rules.SERVER, props["serverId"], "server")
    _admit_place(cloud, id_, props)


def _admit_place(cloud: Cloud, id_: str | None, props: Props) -> None:
    network, _ = _place(cloud, props)
    found(cloud, rules.NETWORK, network, "network")
    if id_ is None and f"{props['serverId']}-{network}" in cloud.of(rules.SERVER_NETWORK):
        raise api_error(
            "server_already_attached", f"server {props['serverId']} is already attached to network {network}"
        )


def _create_attachment(cloud: Cloud, props: Props) -> Made:
    network, subnets = _place(cloud, props)
    taken = {live["ip"] for live in cloud.of(rules.SERVER_NETWORK).values() if live["networkId"] == network}
    ip = props.get("ip") or _free_address(subnets, taken)
    if ip in taken:
        raise api_error("ip_not_available", f"ip {ip} is not available in network {network}")
    if not any(ipaddress.IPv4Address(ip) in subnet for subnet in subnets):
        raise api_error("ip_not_available", f"ip {ip} is in no subnet of network {network}")
    number = cloud.state.next_id()
    mac = "86:00:00:" + ":".join(f"{number >> shift & 255:02x}" for shift in (16, 8, 0))
    return Made(f"{props['serverId']}-{network}", {"ip": ip, "networkId": network, "macAddress": mac})


def _free_address(subnets: list[ipaddress.IPv4Network], taken: set[str]) -> str:
    for subnet in subnets:
        # The first host of a subnet may be the gateway, and Hetzner hands out from the second.
        for address in itertools.islice(subnet.hosts(), 1, None):
            if str(address) not in taken:
                return str(address)
    raise api_error("no_subnet_available", "no subnet or IP available")


def attach_inline(cloud: Cloud, server: int, networks: list[Props]) -> None:
    """A server's own `networks`: the same attachment, without a resource of its own."""
    for wanted in networks:
        props = {**wanted, "serverId": server}
        if not wanted.get("networkId") and not wanted.get("subnetId"):
            raise ApiError("network: either network_id or subnet_id must be set")
        # The server itself is about to be.
        _admit_place(cloud, None, props)
        made = _create_attachment(cloud, props)
        cloud.of(rules.SERVER_NETWORK)[made.id] = {**props, **made.computed}


def _imported_attachment(inputs: Props) -> Props:
    # A subnet and its network exclude each other.
    return {name: value for name, value in inputs.items() if name != "networkId" or "subnetId" not in inputs}


KINDS: Final = (
    Kind(
        type=rules.NETWORK,
        dialect="sdk2",
        named=True,
        create=_create_network,
        replaces=frozenset({"ipRange"}),
        defaults={"deleteProtection": False, "exposeRoutesToVswitch": False},
        valid={"labels": rules.bad_labels, "ipRange": _bad_range},
        admit=_admit_network,
        before_delete=_delete_network,
    ),
    Kind(
        type=rules.NETWORK_SUBNET,
        dialect="sdk2",
        create=_create_subnet,
        replaces=frozenset({"ipRange", "networkId", "networkZone", "type", "vswitchId"}),
        valid={"type": _bad_subnet_type},
        admit=_admit_subnet,
        delete_before_replace=True,
    ),
    Kind(
        type=rules.SERVER_NETWORK,
        dialect="framework",
        create=_create_attachment,
        replaces=frozenset({"serverId", "networkId", "subnetId", "ip"}),
        sets=frozenset({"aliasIps"}),
        computed=frozenset({"ip", "networkId"}),
        check=_one_place,
        admit=_admit_attachment,
        imported=_imported_attachment,
        delete_before_replace=True,
    ),
)
