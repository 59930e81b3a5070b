"""Public addresses and the names they resolve to."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final

from ..kinds import Cloud, Kind, Made
from ..values import Props, Value
from . import rules
from .rules import api_error, found, invalid

# Addresses for documentation (RFC 3849): nothing real answers on them.
_IPV6_POOL: Final = ipaddress.IPv6Network("2001:db8::/32")

_PLACES: Final = {"location": "location", "datacenter": "datacenter", "assignee_id": "assigneeId"}


def allocate(cloud: Cloud, name: str, kind: str) -> Props:
    """An address: the expected one where the account says so, any free one else."""
    taken = {live.get("ipAddress") for live in cloud.of(rules.PRIMARY_IP).values()}
    expected = cloud.account.addresses.get(name)
    if expected and expected not in taken and (":" in expected) == (kind == "ipv6"):
        return _as_properties(expected, kind)
    reserved = taken | set(cloud.account.addresses.values())
    if kind == "ipv4":
        free = (str(address) for address in ipaddress.IPv4Network(cloud.account.ipv4_range).hosts())
    else:
        # Each IPv6 primary address is a /64 of which the server takes the first.
        free = (str(network[1]) for network in _IPV6_POOL.subnets(new_prefix=64))
    address = next((address for address in free if address not in reserved), None)
    if address is None:
        raise api_error("resource_unavailable", f"no free {kind} address left")
    return _as_properties(address, kind)


def _as_properties(address: str, kind: str) -> Props:
    if kind == "ipv4":
        return {"ipAddress": address}
    return {"ipAddress": address, "ipNetwork": str(ipaddress.IPv6Interface(f"{address}/64").network)}


def assign(cloud: Cloud, id_: Value, server: int, kind: str) -> Props:
    """Give a primary address to a server."""
    live = found(cloud, rules.PRIMARY_IP, id_, "primary IP")
    if live["type"] != kind:
        raise invalid(f"public_net.{kind}", f"primary IP with ID '{id_}' is of type {live['type']}")
    if live.get("assigneeId") not in (0, None, server):
        raise api_error(
            "primary_ip_assigned", f"primary IP with ID '{id_}' is already assigned to server {live['assigneeId']}"
        )
    live["assigneeId"] = server
    return live


def unassign_all(cloud: Cloud, server: int) -> None:
    """What happens to a server's addresses when it goes: those of its own go too, the others stay."""
    addresses = cloud.of(rules.PRIMARY_IP)
    for id_, live in list(addresses.items()):
        if live.get("assigneeId") == server:
            live["assigneeId"] = 0
            if live.get("autoDelete"):
                del addresses[id_]


def _bad_type(value: Value) -> str | None:
    if value in ("ipv4", "ipv6"):
        return None
    return f'Invalid Attribute Value Match. Attribute type value must be one of: ["ipv4" "ipv6"], got: "{value}"'


def _one_place(props: Props) -> Iterator[str]:
    given = [name for name, key in _PLACES.items() if props.get(key) is not None]
    listed = f"[{','.join(_PLACES)}]"
    if not given:
        yield f"Missing Attribute Configuration: Exactly one of these attributes must be configured: {listed}"
    elif len(given) > 1:
        yield f"Invalid Attribute Combination: Exactly one of these attributes must be configured: {listed}"


def _admit(cloud: Cloud, id_: str | None, props: Props) -> None:
    rules.unique_name(cloud, rules.PRIMARY_IP, id_, props, "primary IP")
    rules.known_location(props)
    if props.get("assigneeId"):
        found(cloud, rules.SERVER, props["assigneeId"], "server")


def _create(cloud: Cloud, props: Props) -> Made:
    computed = {"assigneeId": 0, "assigneeType": "server", **allocate(cloud, props["name"], props["type"])}
    if props.get("assigneeId"):
        server = found(cloud, rules.SERVER, props["assigneeId"], "server")
        computed |= {"assigneeId": props["assigneeId"], "location": server["location"]}
    if props.get("datacenter"):
        computed["location"] = props["datacenter"].partition("-")[0]
    return Made(str(cloud.state.next_id()), computed)


def _before_delete(cloud: Cloud, _: str, live: Props) -> None:
    # The provider powers the server off and takes the address away from it.
    server = cloud.of(rules.SERVER).get(str(live.get("assigneeId")))
    if server is not None:
        server[f"{live['type']}Address"] = ""


_TARGETS: Final = {"serverId": "s", "primaryIpId": "p", "floatingIpId": "f", "loadBalancerId": "l"}


def _admit_name(cloud: Cloud, _: str | None, props: Props) -> None:
    if props.get("serverId"):
        server = found(cloud, rules.SERVER, props["serverId"], "server")
        if props["ipAddress"] not in (server["ipv4Address"], server["ipv6Address"]):
            raise invalid("ip", f"{props['ipAddress']} is no address of server {props['serverId']}")
    if props.get("primaryIpId"):
        address = found(cloud, rules.PRIMARY_IP, props["primaryIpId"], "primary IP")
        if props["ipAddress"] != address["ipAddress"]:
            raise invalid("ip", f"{props['ipAddress']} is not the address of primary IP {props['primaryIpId']}")


def _create_name(_: Cloud, props: Props) -> Made:
    target, prefix = next((key, prefix) for key, prefix in _TARGETS.items() if props.get(key))
    return Made(f"{prefix}-{props[target]}-{props['ipAddress']}", {})


def _one_target(props: Props) -> Iterator[str]:
    if sum(props.get(key) is not None for key in _TARGETS) != 1:
        yield (
            "Missing Attribute Configuration: Exactly one of these attributes must be configured: "
            "[server_id,primary_ip_id,floating_ip_id,load_balancer_id]"
        )


def _imported(inputs: Props) -> Props:
    # A location and an assignee exclude each other.
    return {name: value for name, value in inputs.items() if name not in ("assigneeId", "assigneeType", "datacenter")}


KINDS: Final = (
    Kind(
        type=rules.PRIMARY_IP,
        dialect="framework",
        named=True,
        create=_create,
        replaces=frozenset({"type", "location", "datacenter"}),
        defaults={"autoDelete": False, "deleteProtection": False},
        computed=frozenset({"location", "datacenter", "assigneeId", "assigneeType"}),
        valid={"type": _bad_type, "labels": rules.bad_labels},
        check=_one_place,
        admit=_admit,
        before_delete=_before_delete,
        imported=_imported,
    ),
    Kind(
        type=rules.RDNS,
        dialect="framework",
        create=_create_name,
        replaces=frozenset({*_TARGETS, "ipAddress"}),
        check=_one_target,
        admit=_admit_name,
    ),
)
