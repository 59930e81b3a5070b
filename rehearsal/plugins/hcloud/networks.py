"""Private networks and their subnets (terraform-provider-hcloud, internal/network)."""

from __future__ import annotations

import ipaddress
from typing import Final

from ..client import ApiError, Client
from ..kinds import Created, Kind
from ..values import Props, Value
from .objects import changes, deleter, invalid_labels, present, reader
from .vendor import act

_SUBNET_TYPES: Final = ("cloud", "server", "vswitch")


def parse_subnet_id(id_: str) -> tuple[int, str]:
    """The network and the range that the id of a subnet consists of: the API has no ids for subnets."""
    network, _, ip_range = id_.partition("-")
    try:
        return int(network), _parse_range(ip_range)
    except ValueError:
        raise ApiError(f"unexpected subnet id '{id_}', expected '$NETWORK_ID-$SUBNET_IP_RANGE'") from None


def _parse_range(text: str) -> str:
    if "/" not in text:
        raise ApiError(f"invalid CIDR address: {text}")
    return str(ipaddress.ip_network(text, strict=False))


def _properties(network: Props) -> Props:
    return {
        "name": network["name"],
        "ipRange": network["ip_range"],
        "labels": network["labels"],
        "deleteProtection": network["protection"]["delete"],
        "exposeRoutesToVswitch": network["expose_routes_to_vswitch"],
    }


def _create(client: Client, inputs: Props) -> Created:
    body = present(inputs, {"name": "name", "labels": "labels"})
    body |= {"ip_range": _parse_range(inputs["ipRange"]), "expose_routes_to_vswitch": inputs["exposeRoutesToVswitch"]}
    id_ = client.post("networks", body)["network"]["id"]
    if inputs["deleteProtection"]:
        act(client, f"networks/{id_}", "change_protection", {"delete": True})
    return Created(str(id_), _properties(client.get(f"networks/{id_}")["network"]))


def _update(client: Client, id_: str, old: Props, new: Props) -> Props:
    path = f"networks/{id_}"
    client.get(path)
    fields = {"name": "name", "labels": "labels", "exposeRoutesToVswitch": "expose_routes_to_vswitch"}
    for field, value in changes(old, new, fields).items():
        client.put(path, {field: value})
    if protection := changes(old, new, {"deleteProtection": "delete"}):
        act(client, path, "change_protection", protection)
    return _properties(client.get(path)["network"])


def _create_subnet(client: Client, inputs: Props) -> Created:
    ip_range, network = _parse_range(inputs["ipRange"]), inputs["networkId"]
    body = {"type": inputs["type"], "ip_range": ip_range, "network_zone": inputs["networkZone"]}
    act(client, f"networks/{network}", "add_subnet", body)
    id_ = f"{network}-{ip_range}"
    return _read_subnet(client, id_, inputs) or Created(id_, {})


def _read_subnet(client: Client, id_: str, _: Props) -> Created | None:
    network, ip_range = parse_subnet_id(id_)
    response = client.find(f"networks/{network}")
    subnets = [] if response is None else response["network"]["subnets"]
    for subnet in subnets:
        if subnet["ip_range"] == ip_range:
            shared = {"type": subnet["type"], "gateway": subnet["gateway"]}
            place = {"networkId": network, "networkZone": subnet["network_zone"], "ipRange": ip_range}
            return Created(f"{network}-{ip_range}", {**shared, **place})
    return None


def _delete_subnet(client: Client, id_: str, old: Props) -> None:
    network, ip_range = parse_subnet_id(id_)
    if _read_subnet(client, id_, old) is None:
        return
    try:
        act(client, f"networks/{network}", "delete_subnet", {"ip_range": ip_range})
    except ApiError as error:
        # The plugin expects that the network itself is deleted next.
        if error.code != "service_error" or "servers are attached" not in str(error):
            raise


def _invalid_range(value: Value) -> str | None:
    try:
        ipaddress.ip_interface(value if "/" in value else "")
    except ValueError:
        return f'expected "ip_range" to be a valid IPv4 Value, got {value}: invalid CIDR address: {value}'
    return None


def _invalid_subnet_type(value: Value) -> str | None:
    return None if value in _SUBNET_TYPES else f'expected type to be one of ["cloud" "server" "vswitch"], got {value}'


NETWORK: Final = Kind(
    type="hcloud:index/network:Network",
    dialect="sdk2",
    auto_named=True,
    create=_create,
    read=reader("networks", "network", _properties),
    update=_update,
    delete=deleter("networks"),
    replaces=frozenset({"ipRange"}),
    defaults={"deleteProtection": False, "exposeRoutesToVswitch": False},
    validators={"labels": invalid_labels, "ipRange": _invalid_range},
)
SUBNET: Final = Kind(
    type="hcloud:index/networkSubnet:NetworkSubnet",
    dialect="sdk2",
    create=_create_subnet,
    read=_read_subnet,
    delete=_delete_subnet,
    replaces=frozenset({"ipRange", "networkId", "networkZone", "type", "vswitchId"}),
    validators={"type": _invalid_subnet_type},
)
