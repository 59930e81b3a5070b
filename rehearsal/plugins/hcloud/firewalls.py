"""Firewalls (terraform-provider-hcloud, internal/firewall/resource.go)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from ..client import ApiError, Client
from ..kinds import Created, Kind
from ..values import Props, Value
from .objects import changes, invalid_labels, present, reader
from .sets import ordered_rules, stored_rules
from .vendor import act, wait

_FIELDS: Final = {
    "direction": "direction",
    "sourceIps": "source_ips",
    "destinationIps": "destination_ips",
    "protocol": "protocol",
    "port": "port",
    "description": "description",
}


def target(server: int) -> Props:
    """A server as a firewall refers to it."""
    return {"type": "server", "server": {"id": server}}


def _properties(firewall: Props) -> Props:
    rules = [{name: rule[field] for name, field in _FIELDS.items()} for rule in firewall["rules"]]
    servers = [{"server": applied["server"]["id"]} for applied in firewall["applied_to"]]
    shared = {"name": firewall["name"], "labels": firewall["labels"]}
    return {**shared, "rules": stored_rules(rules), "applyTos": servers}


def _create(client: Client, inputs: Props) -> Created:
    body = present(inputs, {"name": "name", "labels": "labels"})
    if inputs.get("rules"):
        body["rules"] = _sent_rules(inputs["rules"])
    if inputs.get("applyTos"):
        body["apply_to"] = _targets(inputs)
    answer = client.post("firewalls", body)
    wait(client, *answer["actions"])
    id_ = answer["firewall"]["id"]
    return Created(str(id_), _properties(client.get(f"firewalls/{id_}")["firewall"]))


def _update(client: Client, id_: str, old: Props, new: Props) -> Props:
    path = f"firewalls/{id_}"
    client.get(path)
    if "name" in changes(old, new, {"name": "name"}):
        client.put(path, {"name": new["name"]})
    rules = _sent_rules(new.get("rules") or [])
    # Without any rule the plugin sends nothing, and the rules stay.
    if rules and rules != _sent_rules(old.get("rules") or []):
        act(client, path, "set_rules", {"rules": rules})
    if labels := changes(old, new, {"labels": "labels"}):
        client.put(path, labels)
    if "applyTos" in new:
        before, after = _targets(old), _targets(new)
        if removed := [applied for applied in before if applied not in after]:
            act(client, path, "remove_from_resources", {"remove_from": removed})
        if added := [applied for applied in after if applied not in before]:
            act(client, path, "apply_to_resources", {"apply_to": added})
    return _properties(client.get(path)["firewall"])


def _delete(client: Client, id_: str, _: Props) -> None:
    path = f"firewalls/{id_}"
    response = client.find(path)
    applied = [] if response is None else response["firewall"]["applied_to"]
    if applied:
        try:
            act(client, path, "remove_from_resources", {"remove_from": applied})
        except ApiError as error:
            if error.code != "firewall_resource_not_found":
                raise
    client.delete(path)


def _targets(props: Props) -> list[Props]:
    return [target(applied["server"]) for applied in props.get("applyTos") or []]


def _sent_rules(rules: Iterable[Props]) -> list[Props]:
    normalized = [
        {name: list(map(_canonical_cidr, value)) if name.endswith("Ips") else value for name, value in rule.items()}
        for rule in rules
    ]
    return [{_FIELDS[name]: value for name, value in rule.items()} for rule in ordered_rules(normalized)]


def _canonical_cidr(text: Value) -> str:
    """An address with its mask in its shortest form (validation.go, normalizeIP); any other text unchanged."""
    try:
        return str(ipaddress.ip_interface(text)) if "/" in text else str(ipaddress.ip_network(text))
    except ValueError:
        return str(text)


def _invalid_cidr(text: Value) -> str | None:
    normalized = _canonical_cidr(text)
    try:
        interface = ipaddress.ip_interface(normalized)
    except ValueError:
        return f"invalid CIDR address: {normalized}"
    if interface.ip != interface.network.network_address:
        return f"{normalized} is not the start of the cidr block {interface.network}"
    return None


def _invalid_direction(value: Value) -> str | None:
    return None if value in ("in", "out") else f"{value} is not a valid direction"


def _invalid_protocol(value: Value) -> str | None:
    return None if value in ("icmp", "tcp", "udp", "esp", "gre") else f"{value} is not a valid protocol"


KIND: Final = Kind(
    type="hcloud:index/firewall:Firewall",
    dialect="sdk2",
    auto_named=True,
    create=_create,
    read=reader("firewalls", "firewall", _properties),
    update=_update,
    delete=_delete,
    sets=frozenset({"rules", "rules.sourceIps", "rules.destinationIps", "applyTos"}),
    canonical={"rules.sourceIps": _canonical_cidr, "rules.destinationIps": _canonical_cidr},
    # Servers that name the firewall in their `firewallIds` appear in `applyTos` too.
    computed=frozenset({"applyTos", "labels"}),
    validators={
        "labels": invalid_labels,
        "rules.direction": _invalid_direction,
        "rules.protocol": _invalid_protocol,
        "rules.sourceIps": _invalid_cidr,
        "rules.destinationIps": _invalid_cidr,
    },
)
