"""Private networks, their subnets, and the servers in them.

Sources: https://docs.hetzner.cloud/reference/cloud#networks and https://docs.hetzner.com/cloud/networks/faq (limits,
network zones and reserved addresses). The codes of these refusals are not documented.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator
from typing import Final

from ..cloud import Cloud
from ..store import Object
from .catalog import LOCATIONS, NETWORK_ZONES
from .collection import Body, Collection, change_protection, required
from .errors import RefusedError, invalid_input

_SUBNET_TYPES: Final = ("cloud", "server", "vswitch")
_MAX_SERVERS: Final = 100
_MAX_SUBNETS: Final = 50
_MAX_ALIAS_IPS: Final = 5
_LONGEST_PREFIX: Final = 24
_GATEWAY_OF_PUBLIC_INTERFACES: Final = ipaddress.IPv4Address("172.31.1.1")


def attach(cloud: Cloud, server: Object, body: Body) -> None:
    """Puts a server into a network, with the address of the request or the next free one."""
    network = NETWORKS.find(cloud, required(body, "network"))
    id_ = network["id"]
    if any(attachment["network"] == id_ for attachment in server["private_net"]):
        message = f"server {server['id']} is already attached to network {id_}"
        raise RefusedError("server_already_attached", message)
    attachments = list(_attachments(cloud, id_))
    if len(attachments) >= _MAX_SERVERS:
        raise RefusedError("resource_limit_exceeded", f"network {id_} has {_MAX_SERVERS} servers already")
    zone = LOCATIONS[server["location"]]["network_zone"]
    if any(subnet["network_zone"] != zone for subnet in network["subnets"]):
        raise invalid_input("network", f"server {server['id']} is in network zone {zone}, and network {id_} is not")
    ranges = [ipaddress.IPv4Network(subnet["ip_range"]) for subnet in network["subnets"]]
    subnets = [subnet for subnet in ranges if str(subnet) == body.get("ip_range", str(subnet))]
    taken = {attachment["ip"] for _, attachment in attachments} | _reserved(network, subnets)
    ip = body.get("ip") or _free_address(subnets, taken)
    if ip in taken or not any(ipaddress.IPv4Address(ip) in subnet for subnet in subnets):
        raise RefusedError("ip_not_available", f"ip {ip} is not available in network {id_}")
    number = cloud.state.next_id()
    mac_address = "86:00:00:" + number.to_bytes(3, "big").hex(":")
    alias_ips = list(body.get("alias_ips") or [])
    server["private_net"].append({"network": id_, "ip": ip, "alias_ips": alias_ips, "mac_address": mac_address})


def _reserved(network: Object, subnets: list[ipaddress.IPv4Network]) -> set[str]:
    """The gateway, which is the first address of the network, and the addresses that name a subnet or all its hosts."""
    addresses = {ipaddress.IPv4Network(network["ip_range"])[1], _GATEWAY_OF_PUBLIC_INTERFACES}
    for subnet in subnets:
        addresses |= {subnet.network_address, subnet.broadcast_address}
    return {str(address) for address in addresses}


def detach(_: Cloud, server: Object, body: Body) -> None:
    """Takes a server out of a network."""
    server["private_net"].remove(_attachment(server, body))


def change_alias_ips(_: Cloud, server: Object, body: Body) -> None:
    """Replaces the alias IPs of a server in a network."""
    alias_ips = list(required(body, "alias_ips"))
    if len(alias_ips) > _MAX_ALIAS_IPS:
        raise invalid_input("alias_ips", f"{len(alias_ips)} alias IPs, the limit is {_MAX_ALIAS_IPS}")
    _attachment(server, body)["alias_ips"] = alias_ips


def _attachment(server: Object, body: Body) -> Object:
    network = required(body, "network")
    for attachment in server["private_net"]:
        if attachment["network"] == network:
            result: Object = attachment
            return result
    raise RefusedError("not_found", f"server {server['id']} is not attached to network {network}")


def _attachments(cloud: Cloud, network: int) -> Iterator[tuple[Object, Object]]:
    for server in cloud.of("servers").values():
        for attachment in server["private_net"]:
            if attachment["network"] == network:
                yield server, attachment


def _free_address(subnets: list[ipaddress.IPv4Network], taken: set[str]) -> str:
    for subnet in subnets:
        # Hetzner assigns addresses from the second one of a subnet.
        for address in itertools.islice(subnet.hosts(), 1, None):
            if str(address) not in taken:
                return str(address)
    raise RefusedError("no_subnet_available", "no subnet or IP available")


def _create(cloud: Cloud, body: Body) -> tuple[Object, Body]:
    network_range = _range(required(body, "ip_range"))
    if not network_range.is_private:
        raise invalid_input("ip_range", f"{network_range} is not in the private ranges of RFC 1918")
    if network_range.prefixlen > _LONGEST_PREFIX:
        raise invalid_input("ip_range", f"{network_range} is smaller than /{_LONGEST_PREFIX}")
    network = NETWORKS.add(
        cloud,
        body,
        ip_range=str(network_range),
        subnets=[],
        routes=[],
        load_balancers=[],
        protection={"delete": False},
        expose_routes_to_vswitch=bool(body.get("expose_routes_to_vswitch")),
    )
    for subnet in body.get("subnets") or []:
        _add_subnet(cloud, network, subnet)
    return network, {}


def _delete(cloud: Cloud, network: Object) -> None:
    for server, attachment in list(_attachments(cloud, network["id"])):
        server["private_net"].remove(attachment)


def _add_subnet(_: Cloud, network: Object, body: Body) -> None:
    subnet_range, network_range = _range(required(body, "ip_range")), ipaddress.IPv4Network(network["ip_range"])
    if not subnet_range.subnet_of(network_range):
        raise invalid_input("ip_range", f"{subnet_range} is not in the network's range {network_range}")
    if len(network["subnets"]) >= _MAX_SUBNETS:
        raise RefusedError("resource_limit_exceeded", f"network has {_MAX_SUBNETS} subnets already")
    for name, values in (("network_zone", NETWORK_ZONES), ("type", _SUBNET_TYPES)):
        if required(body, name) not in values:
            raise invalid_input(name, f"must be one of {', '.join(values)}")
    for other in network["subnets"]:
        if subnet_range.overlaps(ipaddress.IPv4Network(other["ip_range"])):
            raise invalid_input("ip_range", f"{subnet_range} overlaps with {other['ip_range']}")
    # The gateway is the first address of the network, in every subnet.
    subnet = {"type": body["type"], "ip_range": str(subnet_range), "network_zone": body["network_zone"]}
    network["subnets"].append({**subnet, "gateway": str(network_range[1])})


def _delete_subnet(cloud: Cloud, network: Object, body: Body) -> None:
    ip_range = required(body, "ip_range")
    subnet = next((subnet for subnet in network["subnets"] if subnet["ip_range"] == ip_range), None)
    if subnet is None:
        raise RefusedError("not_found", f"subnet {ip_range} not found")
    addresses = (ipaddress.IPv4Address(attachment["ip"]) for _, attachment in _attachments(cloud, network["id"]))
    if any(address in ipaddress.IPv4Network(ip_range) for address in addresses):
        raise RefusedError("service_error", "cannot remove subnet because servers are attached to it")
    network["subnets"].remove(subnet)


def _range(text: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(text)
    except ValueError:
        raise invalid_input("ip_range", f"{text} is not an IPv4 network, or has bits set after its mask") from None


NETWORKS: Final = Collection(
    name="networks",
    singular="network",
    title="network",
    create=_create,
    delete=_delete,
    actions={
        "change_protection": ("change_protection", change_protection),
        "add_subnet": ("add_subnet", _add_subnet),
        "delete_subnet": ("delete_subnet", _delete_subnet),
    },
    shown=lambda cloud, network: {
        **network,
        "servers": [server["id"] for server, _ in _attachments(cloud, network["id"])],
    },
    flags=("expose_routes_to_vswitch",),
)
