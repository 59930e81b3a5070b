"""Primary IPs and their reverse DNS names."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final

from ..kinds import Cloud, Created, Kind
from ..values import Props, Value
from . import common
from .common import api_error, get_resource, invalid_input

# Reserved for documentation (RFC 3849): no host on the internet has such an address.
_IPV6_POOL: Final = ipaddress.IPv6Network("2001:db8::/32")

_LOCATION_INPUTS: Final = {"location": "location", "datacenter": "datacenter", "assignee_id": "assigneeId"}


def allocate(cloud: Cloud, name: str, kind: str) -> Props:
    """Allocates an address: the one that the account's settings define for this name, else any free one."""
    used = {live.get("ipAddress") for live in cloud.of(common.PRIMARY_IP).values()}
    configured = cloud.account.addresses.get(name)
    if configured and configured not in used and (":" in configured) == (kind == "ipv6"):
        return _address_properties(configured, kind)
    reserved = used | set(cloud.account.addresses.values())
    if kind == "ipv4":
        candidates = (str(address) for address in ipaddress.IPv4Network(cloud.account.ipv4_range).hosts())
    else:
        # An IPv6 primary IP is a /64 network. The server uses its first address.
        candidates = (str(network[1]) for network in _IPV6_POOL.subnets(new_prefix=64))
    address = next((address for address in candidates if address not in reserved), None)
    if address is None:
        raise api_error("resource_unavailable", f"no free {kind} address left")
    return _address_properties(address, kind)


def _address_properties(address: str, kind: str) -> Props:
    if kind == "ipv4":
        return {"ipAddress": address}
    return {"ipAddress": address, "ipNetwork": str(ipaddress.IPv6Interface(f"{address}/64").network)}


def assign(cloud: Cloud, id_: Value, server: int, kind: str) -> Props:
    """Assigns a primary IP to a server."""
    live = get_resource(cloud, common.PRIMARY_IP, id_, "primary IP")
    if live["type"] != kind:
        raise invalid_input(f"public_net.{kind}", f"primary IP with ID '{id_}' is of type {live['type']}")
    if live.get("assigneeId") not in (0, None, server):
        raise api_error(
            "primary_ip_assigned", f"primary IP with ID '{id_}' is already assigned to server {live['assigneeId']}"
        )
    live["assigneeId"] = server
    return live


def unassign_all(cloud: Cloud, server: int) -> None:
    """Unassigns the primary IPs of a server that is deleted, and deletes those with auto-delete."""
    addresses = cloud.of(common.PRIMARY_IP)
    for id_, live in list(addresses.items()):
        if live.get("assigneeId") == server:
            live["assigneeId"] = 0
            if live.get("autoDelete"):
                del addresses[id_]


def _type_error(value: Value) -> str | None:
    if value in ("ipv4", "ipv6"):
        return None
    return f'Invalid Attribute Value Match. Attribute type value must be one of: ["ipv4" "ipv6"], got: "{value}"'


def _check_location(props: Props) -> Iterator[str]:
    configured = [name for name, key in _LOCATION_INPUTS.items() if props.get(key) is not None]
    names = f"[{','.join(_LOCATION_INPUTS)}]"
    if not configured:
        yield f"Missing Attribute Configuration: Exactly one of these attributes must be configured: {names}"
    elif len(configured) > 1:
        yield f"Invalid Attribute Combination: Exactly one of these attributes must be configured: {names}"


def _validate(cloud: Cloud, id_: str | None, props: Props) -> None:
    common.check_unique_name(cloud, common.PRIMARY_IP, id_, props, "primary IP")
    common.check_location(props)
    if props.get("assigneeId"):
        get_resource(cloud, common.SERVER, props["assigneeId"], "server")


def _create(cloud: Cloud, props: Props) -> Created:
    computed = {"assigneeId": 0, "assigneeType": "server", **allocate(cloud, props["name"], props["type"])}
    if props.get("assigneeId"):
        server = get_resource(cloud, common.SERVER, props["assigneeId"], "server")
        computed |= {"assigneeId": props["assigneeId"], "location": server["location"]}
    if props.get("datacenter"):
        computed["location"] = props["datacenter"].partition("-")[0]
    return Created(str(cloud.state.next_id()), computed)


def _before_delete(cloud: Cloud, _: str, live: Props) -> None:
    # The provider powers the server off and unassigns the address.
    server = cloud.of(common.SERVER).get(str(live.get("assigneeId")))
    if server is not None:
        server[f"{live['type']}Address"] = ""


_RDNS_TARGETS: Final = {"serverId": "s", "primaryIpId": "p", "floatingIpId": "f", "loadBalancerId": "l"}


def _validate_rdns(cloud: Cloud, _: str | None, props: Props) -> None:
    if props.get("serverId"):
        server = get_resource(cloud, common.SERVER, props["serverId"], "server")
        if props["ipAddress"] not in (server["ipv4Address"], server["ipv6Address"]):
            raise invalid_input("ip", f"{props['ipAddress']} is not an address of server {props['serverId']}")
    if props.get("primaryIpId"):
        address = get_resource(cloud, common.PRIMARY_IP, props["primaryIpId"], "primary IP")
        if props["ipAddress"] != address["ipAddress"]:
            raise invalid_input("ip", f"{props['ipAddress']} is not the address of primary IP {props['primaryIpId']}")


def _create_rdns(_: Cloud, props: Props) -> Created:
    target, prefix = next((key, prefix) for key, prefix in _RDNS_TARGETS.items() if props.get(key))
    return Created(f"{prefix}-{props[target]}-{props['ipAddress']}", {})


def _check_target(props: Props) -> Iterator[str]:
    if sum(props.get(key) is not None for key in _RDNS_TARGETS) != 1:
        yield (
            "Missing Attribute Configuration: Exactly one of these attributes must be configured: "
            "[server_id,primary_ip_id,floating_ip_id,load_balancer_id]"
        )


def _import_inputs(inputs: Props) -> Props:
    # location, datacenter and assigneeId exclude each other.
    return {name: value for name, value in inputs.items() if name not in ("assigneeId", "assigneeType", "datacenter")}


KINDS: Final = (
    Kind(
        type=common.PRIMARY_IP,
        dialect="framework",
        auto_named=True,
        create=_create,
        replaces=frozenset({"type", "location", "datacenter"}),
        defaults={"autoDelete": False, "deleteProtection": False},
        computed=frozenset({"location", "datacenter", "assigneeId", "assigneeType"}),
        validators={"type": _type_error, "labels": common.label_error},
        check=_check_location,
        validate=_validate,
        before_delete=_before_delete,
        import_inputs=_import_inputs,
    ),
    Kind(
        type=common.RDNS,
        dialect="framework",
        create=_create_rdns,
        replaces=frozenset({*_RDNS_TARGETS, "ipAddress"}),
        check=_check_target,
        validate=_validate_rdns,
    ),
)
