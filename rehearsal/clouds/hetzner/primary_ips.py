"""Primary IPs (https://docs.hetzner.cloud/reference/cloud#primary-ips)."""

from __future__ import annotations

import ipaddress
from typing import Final

from ..cloud import Cloud
from ..store import Object
from .catalog import find_location
from .collection import Body, Collection, change_protection, required
from .errors import RefusedError, invalid_input

# Addresses for documentation (RFC 3849): no real host uses them.
_IPV6_RANGE: Final = ipaddress.IPv6Network("2001:db8::/32")


def of_server(cloud: Cloud, server: int, type_: str) -> Object | None:
    """The address of this type that is assigned to a server."""
    addresses = cloud.of("primary_ips").values()
    return next(
        (address for address in addresses if (address["assignee_id"], address["type"]) == (server, type_)), None
    )


def assign_to_new(cloud: Cloud, server: Object, public_net: Body) -> None:
    """Assigns the addresses of a request to a new server, or new ones that are deleted with the server."""
    for type_ in ("ipv4", "ipv6"):
        if id_ := public_net.get(type_):
            address = PRIMARY_IPS.find(cloud, id_)
            if address["type"] != type_:
                message = f"primary IP with ID '{id_}' is of type {address['type']}"
                raise RefusedError("primary_ip_version_mismatch", message)
            if address["assignee_id"] is not None:
                raise RefusedError("primary_ip_assigned", _assigned(address))
        elif public_net.get(f"enable_{type_}", True):
            # The account may have an address for it under the name of the server.
            ip = _free_ip(cloud, server["name"], type_)
            address = _add(cloud, {"name": "primary_ip", "auto_delete": True}, type_, ip, server["location"])
            # Hetzner names an address that it creates with a server by its id.
            address["name"] = f"primary_ip-{address['id']}"
        else:
            continue
        _assign_to(cloud, address, server)


def unassign_all(cloud: Cloud, server: int) -> None:
    """What happens to the addresses of a deleted server: those with `auto_delete` are deleted, the others stay."""
    addresses = cloud.of("primary_ips")
    for id_, address in list(addresses.items()):
        if address["assignee_id"] == server:
            address["assignee_id"] = None
            if address["auto_delete"]:
                del addresses[id_]


def refuse_running(server: Object) -> None:
    """Some requests need a server that is off."""
    if server["status"] != "off":
        raise RefusedError("server_not_stopped", f"server {server['id']} must be powered off")


def _create(cloud: Cloud, body: Body) -> tuple[Object, Body]:
    type_ = required(body, "type")
    if type_ not in ("ipv4", "ipv6"):
        raise invalid_input("type", "must be 'ipv4' or 'ipv6'")
    server = _server(cloud, body["assignee_id"]) if body.get("assignee_id") else None
    location = server["location"] if server else find_location(required(body, "location"))["name"]
    address = _add(cloud, body, type_, _free_ip(cloud, required(body, "name"), type_), location)
    if server is not None:
        _assign(cloud, address, body)
    return address, {"action": None}


def _delete(cloud: Cloud, address: Object) -> None:
    if address["assignee_id"] is not None:
        refuse_running(_server(cloud, address["assignee_id"]))


def _assign(cloud: Cloud, address: Object, body: Body) -> None:
    server = _server(cloud, required(body, "assignee_id"))
    if address["assignee_id"] is not None:
        raise RefusedError("primary_ip_already_assigned", _assigned(address))
    refuse_running(server)
    _assign_to(cloud, address, server)


def _unassign(cloud: Cloud, address: Object, _: Body) -> None:
    if address["assignee_id"] is None:
        raise RefusedError("service_error", f"primary IP with ID '{address['id']}' is not assigned")
    refuse_running(_server(cloud, address["assignee_id"]))
    address["assignee_id"] = None


def _assign_to(cloud: Cloud, address: Object, server: Object) -> None:
    if address["location"] != server["location"]:
        message = (
            f"primary IP with ID '{address['id']}' is in {address['location']}, the server in {server['location']}"
        )
        raise RefusedError("primary_ip_datacenter_mismatch", message)
    if of_server(cloud, server["id"], address["type"]) is not None:
        raise RefusedError(f"server_has_{address['type']}", f"server {server['id']} has an {address['type']} address")
    address["assignee_id"] = server["id"]


def _assigned(address: Object) -> str:
    return f"primary IP with ID '{address['id']}' is already assigned to server {address['assignee_id']}"


def _server(cloud: Cloud, id_: object) -> Object:
    server = cloud.of("servers").get(str(id_))
    if server is None:
        raise RefusedError("not_found", f"server with ID '{id_}' not found")
    return server


def _add(cloud: Cloud, body: Body, type_: str, ip: str, location: str) -> Object:
    reverse = ".".join(reversed(ip.split(".")))
    return PRIMARY_IPS.add(
        cloud,
        body,
        type=type_,
        ip=ip,
        assignee_id=None,
        assignee_type="server",
        auto_delete=bool(body.get("auto_delete")),
        blocked=False,
        dns_ptr=[] if ":" in ip else [{"ip": ip, "dns_ptr": f"static.{reverse}.clients.your-server.de"}],
        location=location,
        protection={"delete": False},
    )


def _free_ip(cloud: Cloud, name: str, type_: str) -> str:
    """The address that the account has under this name, or any free one. An IPv6 address is a network of 64 bits."""
    taken = {address["ip"] for address in cloud.of("primary_ips").values()}
    expected = {key: _ip(address) for key, address in cloud.account.addresses.items()}
    if name in expected and expected[name] not in taken and (":" in expected[name]) == (type_ == "ipv6"):
        return expected[name]
    if type_ == "ipv4":
        free = (str(address) for address in ipaddress.IPv4Network(cloud.account.ipv4_range).hosts())
    else:
        free = (str(network) for network in _IPV6_RANGE.subnets(new_prefix=64))
    ip = next((ip for ip in free if ip not in taken and ip not in expected.values()), None)
    if ip is None:
        raise RefusedError("resource_unavailable", f"no free {type_} address left")
    return ip


def _ip(address: str) -> str:
    return str(ipaddress.IPv6Interface(f"{address}/64").network) if ":" in address else address


PRIMARY_IPS: Final = Collection(
    name="primary_ips",
    singular="primary_ip",
    title="primary IP",
    create=_create,
    delete=_delete,
    actions={
        "change_protection": ("change_protection", change_protection),
        "assign": ("assign_primary_ip", _assign),
        "unassign": ("unassign_primary_ip", _unassign),
    },
    shown=lambda _, address: {**address, "location": find_location(address["location"])},
    filters=("ip",),
    flags=("auto_delete",),
)
