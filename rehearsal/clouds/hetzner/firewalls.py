"""Firewalls and what they are attached to."""

from __future__ import annotations

import re
from typing import Final

from ..kinds import Cloud, Kind, Made
from ..values import Props, Value
from . import rules
from .rules import api_error, found, invalid

_MOST_RULES: Final = 50
_MOST_RANGES_OF_A_RULE: Final = 100
_MOST_RANGES: Final = 500
_LONGEST_DESCRIPTION: Final = 255
_LAST_PORT: Final = 65535
_WITH_PORT: Final = ("tcp", "udp")


def _bad_direction(value: Value) -> str | None:
    return None if value in ("in", "out") else f"{value} is not a valid direction"


def _bad_protocol(value: Value) -> str | None:
    return None if value in ("icmp", "tcp", "udp", "esp", "gre") else f"{value} is not a valid protocol"


def _admit(cloud: Cloud, id_: str | None, props: Props) -> None:
    rules.unique_name(cloud, rules.FIREWALL, id_, props, "firewall")
    wanted: list[Props] = props.get("rules") or []
    if len(wanted) > _MOST_RULES:
        raise api_error("resource_limit_exceeded", f"firewall has {len(wanted)} rules, the limit is {_MOST_RULES}")
    for index, rule in enumerate(wanted):
        _admit_rule(rule, f"rules[{index}]")
    ranges = sum(len(_ranges(rule)) for rule in wanted)
    if ranges > _MOST_RANGES:
        raise api_error(
            "resource_limit_exceeded", f"firewall has {ranges} effective rules, the limit is {_MOST_RANGES}"
        )
    for target in props.get("applyTos") or []:
        if target.get("server"):
            found(cloud, rules.SERVER, target["server"], "server")


def _ranges(rule: Props) -> list[str]:
    return [*(rule.get("sourceIps") or []), *(rule.get("destinationIps") or [])]


def _admit_rule(rule: Props, field: str) -> None:
    port, protocol = rule.get("port"), rule["protocol"]
    if protocol in _WITH_PORT:
        if not port:
            raise invalid(f"{field}.port", f"port is required for protocol {protocol}")
        if not _is_port(port):
            raise invalid(f"{field}.port", f"{port} is no port or range of ports between 1 and {_LAST_PORT}")
    elif port:
        raise invalid(f"{field}.port", f"port is not allowed for protocol {protocol}")
    side = "sourceIps" if rule["direction"] == "in" else "destinationIps"
    if not rule.get(side):
        raise invalid(f"{field}.{side}", f"a rule of direction {rule['direction']} needs at least one range")
    if len(_ranges(rule)) > _MOST_RANGES_OF_A_RULE:
        raise invalid(f"{field}.{side}", f"{len(_ranges(rule))} ranges, the limit is {_MOST_RANGES_OF_A_RULE}")
    for range_ in _ranges(rule):
        reason = rules.bad_cidr(range_)
        if reason:
            raise invalid(f"{field}.{side}", reason)
    if len(rule.get("description") or "") > _LONGEST_DESCRIPTION:
        raise invalid(f"{field}.description", f"longer than {_LONGEST_DESCRIPTION} characters")


def _is_port(text: str) -> bool:
    if text == "any":
        return True
    hit = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text)
    return hit is not None and 1 <= int(hit[1]) <= int(hit[2] or hit[1]) <= _LAST_PORT


def _create(cloud: Cloud, _: Props) -> Made:
    return Made(str(cloud.state.next_id()), {})


def _before_delete(cloud: Cloud, id_: str, _: Props) -> None:
    users = [live["name"] for live in cloud.of(rules.SERVER).values() if int(id_) in (live.get("firewallIds") or [])]
    if users:
        raise api_error("resource_in_use", f"firewall with ID '{id_}' is still in use by {', '.join(sorted(users))}")


def _admit_attachment(cloud: Cloud, id_: str | None, props: Props) -> None:
    if not props.get("serverIds") and not props.get("labelSelectors"):
        raise invalid("serverIds", "no resources referenced")
    found(cloud, rules.FIREWALL, props["firewallId"], "firewall")
    if id_ is None and str(props["firewallId"]) in cloud.of(rules.FIREWALL_ATTACHMENT):
        raise api_error(
            "firewall_already_applied", f"firewall {props['firewallId']} has an attachment already, and takes only one"
        )
    for server in props.get("serverIds") or []:
        found(cloud, rules.SERVER, server, "server")


def _attach(cloud: Cloud, props: Props) -> Made:
    _set_attached(cloud, int(props["firewallId"]), set(), set(props.get("serverIds") or []))
    return Made(str(props["firewallId"]), {})


def _reattach(cloud: Cloud, _: str, props: Props, old: Props) -> Props:
    _set_attached(cloud, int(props["firewallId"]), set(old.get("serverIds") or []), set(props.get("serverIds") or []))
    return {}


def _detach(cloud: Cloud, _: str, live: Props) -> None:
    _set_attached(cloud, int(live["firewallId"]), set(live.get("serverIds") or []), set())


def _set_attached(cloud: Cloud, firewall: int, before: set[int], after: set[int]) -> None:
    for id_ in before | after:
        server = cloud.of(rules.SERVER).get(str(id_))
        if server is not None:
            others = [held for held in server.get("firewallIds") or [] if held != firewall]
            server["firewallIds"] = [*others, firewall] if id_ in after else others


KINDS: Final = (
    Kind(
        type=rules.FIREWALL,
        dialect="sdk2",
        named=True,
        create=_create,
        sets=frozenset({"rules", "rules.sourceIps", "rules.destinationIps", "applyTos"}),
        canonical={"rules.sourceIps": rules.canonical_cidr, "rules.destinationIps": rules.canonical_cidr},
        # Attachments made elsewhere (a server's firewallIds) are the API's to know.
        computed=frozenset({"applyTos"}),
        valid={
            "labels": rules.bad_labels,
            "rules.direction": _bad_direction,
            "rules.protocol": _bad_protocol,
            "rules.sourceIps": rules.bad_cidr,
            "rules.destinationIps": rules.bad_cidr,
        },
        admit=_admit,
        before_delete=_before_delete,
    ),
    Kind(
        type=rules.FIREWALL_ATTACHMENT,
        dialect="sdk2",
        create=_attach,
        replaces=frozenset({"firewallId"}),
        sets=frozenset({"serverIds", "labelSelectors"}),
        admit=_admit_attachment,
        refresh=_reattach,
        before_delete=_detach,
        delete_before_replace=True,
    ),
)
