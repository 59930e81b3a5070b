"""Firewalls, their rules and limits, and the servers that they are applied to.

Sources: https://docs.hetzner.cloud/reference/cloud#firewalls, https://docs.hetzner.com/cloud/firewalls/overview#limits.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from ..cloud import Cloud
from ..store import Object
from . import actions
from .collection import Body, Collection, required
from .errors import RefusedError, invalid_input

_MAX_FIREWALLS_OF_SERVER: Final = 5
_MAX_RULES: Final = 50
_MAX_NETWORKS_OF_RULE: Final = 100
_MAX_NETWORKS: Final = 500
_MAX_DESCRIPTION: Final = 255
_MAX_PORT: Final = 65535
_PROTOCOLS: Final = ("tcp", "udp", "icmp", "esp", "gre")
_SIDES: Final = {"in": "source_ips", "out": "destination_ips"}


def _shown(cloud: Cloud, firewall: Object) -> Object:
    applied = (server["id"] for server in cloud.of("servers").values() if firewall["id"] in server["firewalls"])
    return {**firewall, "applied_to": [{"type": "server", "server": {"id": id_}} for id_ in applied]}


def _create(cloud: Cloud, body: Body) -> tuple[Object, Body]:
    firewall = FIREWALLS.add(cloud, body, rules=_valid_rules(body.get("rules") or []))
    _apply(cloud, firewall, {"apply_to": body.get("apply_to") or []})
    return firewall, {"actions": [actions.start(cloud, "set_firewall_rules", "firewall", firewall["id"])]}


def _delete(cloud: Cloud, firewall: Object) -> None:
    if _shown(cloud, firewall)["applied_to"]:
        raise RefusedError("resource_in_use", f"firewall with ID '{firewall['id']}' is still in use")


def _set_rules(_: Cloud, firewall: Object, body: Body) -> None:
    firewall["rules"] = _valid_rules(required(body, "rules"))


def _apply(cloud: Cloud, firewall: Object, body: Body) -> None:
    for server in _servers(cloud, body.get("apply_to") or [], "not_found"):
        server["firewalls"] = applied([*server["firewalls"], firewall["id"]])


def applied(firewalls: Sequence[int]) -> list[int]:
    """The firewalls of a server, each once. Refuses more than Hetzner applies to one server."""
    distinct = list(dict.fromkeys(firewalls))
    if len(distinct) > _MAX_FIREWALLS_OF_SERVER:
        message = f"server has {len(distinct)} firewalls, the limit is {_MAX_FIREWALLS_OF_SERVER}"
        raise RefusedError("resource_limit_exceeded", message)
    return distinct


def _remove(cloud: Cloud, firewall: Object, body: Body) -> None:
    for server in _servers(cloud, required(body, "remove_from"), "firewall_resource_not_found"):
        server["firewalls"] = [id_ for id_ in server["firewalls"] if id_ != firewall["id"]]


def _servers(cloud: Cloud, resources: Sequence[Body], missing: str) -> list[Object]:
    servers = []
    for resource in resources:
        if resource.get("type") != "server":
            raise invalid_input("type", "only resources of type 'server' are simulated")
        server = cloud.of("servers").get(str(resource["server"]["id"]))
        if server is None:
            raise RefusedError(missing, f"server with ID '{resource['server']['id']}' not found")
        servers.append(server)
    return servers


def _valid_rules(rules: Sequence[Body]) -> list[Object]:
    """The rules of a request in the form of the API. Refuses the first invalid rule."""
    if len(rules) > _MAX_RULES:
        raise RefusedError("resource_limit_exceeded", f"firewall has {len(rules)} rules, the limit is {_MAX_RULES}")
    shown = [_valid_rule(rule, f"rules[{index}]") for index, rule in enumerate(rules)]
    networks = sum(len(rule[side]) for rule in shown for side in _SIDES.values())
    if networks > _MAX_NETWORKS:
        message = f"firewall has {networks} effective rules, the limit is {_MAX_NETWORKS}"
        raise RefusedError("resource_limit_exceeded", message)
    return shown


def _valid_rule(rule: Body, field: str) -> Object:
    protocol, port, description = rule.get("protocol"), rule.get("port") or None, rule.get("description") or None
    side = _SIDES.get(rule.get("direction", ""))
    if side is None:
        raise invalid_input(f"{field}.direction", "must be 'in' or 'out'")
    if protocol not in _PROTOCOLS:
        raise invalid_input(f"{field}.protocol", f"must be one of {', '.join(_PROTOCOLS)}")
    if (protocol in ("tcp", "udp")) != (port is not None):
        needed = "required" if port is None else "not allowed"
        raise invalid_input(f"{field}.port", f"port is {needed} for protocol {protocol}")
    if port is not None and not _is_port(port):
        raise invalid_input(f"{field}.port", f"{port} is not a port or a range of ports between 1 and {_MAX_PORT}")
    if description and len(description) > _MAX_DESCRIPTION:
        raise invalid_input(f"{field}.description", f"longer than {_MAX_DESCRIPTION} characters")
    networks = {name: list(rule.get(name) or []) for name in _SIDES.values()}
    if not networks[side]:
        raise invalid_input(f"{field}.{side}", f"a rule of direction {rule['direction']} needs at least one range")
    count = sum(map(len, networks.values()))
    if count > _MAX_NETWORKS_OF_RULE:
        raise invalid_input(f"{field}.{side}", f"{count} ranges, the limit is {_MAX_NETWORKS_OF_RULE}")
    for network in (network for group in networks.values() for network in group):
        try:
            # Refuses bits after the mask.
            ipaddress.ip_network(network)
        except ValueError:
            raise invalid_input(f"{field}.{side}", f"{network} is not a network in CIDR notation") from None
    rest = {"direction": rule["direction"], "protocol": protocol, "port": port, "description": description}
    return {**rest, **networks}


def _is_port(text: str) -> bool:
    hit = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text)
    return text == "any" or (hit is not None and 1 <= int(hit[1]) <= int(hit[2] or hit[1]) <= _MAX_PORT)


FIREWALLS: Final = Collection(
    name="firewalls",
    singular="firewall",
    title="firewall",
    create=_create,
    delete=_delete,
    actions={
        "set_rules": ("set_firewall_rules", _set_rules),
        "apply_to_resources": ("apply_firewall", _apply),
        "remove_from_resources": ("remove_firewall", _remove),
    },
    shown=_shown,
    several=True,
)
