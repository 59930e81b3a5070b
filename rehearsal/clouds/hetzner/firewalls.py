"""Firewalls and their attachments to servers."""

from __future__ import annotations

import re
from typing import Final

from ..kinds import Cloud, Created, Kind
from ..values import Props, Value
from . import common
from .common import api_error, get_resource, invalid_input

_MAX_RULES: Final = 50
_MAX_RANGES_PER_RULE: Final = 100
_MAX_RANGES: Final = 500
_MAX_DESCRIPTION_LENGTH: Final = 255
_MAX_PORT: Final = 65535
_WITH_PORT: Final = ("tcp", "udp")


def _direction_error(value: Value) -> str | None:
    return None if value in ("in", "out") else f"{value} is not a valid direction"


def _protocol_error(value: Value) -> str | None:
    return None if value in ("icmp", "tcp", "udp", "esp", "gre") else f"{value} is not a valid protocol"


def _validate(cloud: Cloud, id_: str | None, props: Props) -> None:
    common.check_unique_name(cloud, common.FIREWALL, id_, props, "firewall")
    rules: list[Props] = props.get("rules") or []
    if len(rules) > _MAX_RULES:
        raise api_error("resource_limit_exceeded", f"firewall has {len(rules)} rules, the limit is {_MAX_RULES}")
    for index, rule in enumerate(rules):
        _validate_rule(rule, f"rules[{index}]")
    ranges = sum(len(_ranges(rule)) for rule in rules)
    if ranges > _MAX_RANGES:
        raise api_error("resource_limit_exceeded", f"firewall has {ranges} effective rules, the limit is {_MAX_RANGES}")
    for target in props.get("applyTos") or []:
        if target.get("server"):
            get_resource(cloud, common.SERVER, target["server"], "server")


def _ranges(rule: Props) -> list[str]:
    return [*(rule.get("sourceIps") or []), *(rule.get("destinationIps") or [])]


def _validate_rule(rule: Props, field: str) -> None:
    port, protocol = rule.get("port"), rule["protocol"]
    if protocol in _WITH_PORT:
        if not port:
            raise invalid_input(f"{field}.port", f"port is required for protocol {protocol}")
        if not _is_port(port):
            raise invalid_input(f"{field}.port", f"{port} is not a port or a range of ports between 1 and {_MAX_PORT}")
    elif port:
        raise invalid_input(f"{field}.port", f"port is not allowed for protocol {protocol}")
    side = "sourceIps" if rule["direction"] == "in" else "destinationIps"
    if not rule.get(side):
        raise invalid_input(f"{field}.{side}", f"a rule of direction {rule['direction']} needs at least one range")
    if len(_ranges(rule)) > _MAX_RANGES_PER_RULE:
        raise invalid_input(f"{field}.{side}", f"{len(_ranges(rule))} ranges, the limit is {_MAX_RANGES_PER_RULE}")
    for range_ in _ranges(rule):
        reason = common.cidr_error(range_)
        if reason:
            raise invalid_input(f"{field}.{side}", reason)
    if len(rule.get("description") or "") > _MAX_DESCRIPTION_LENGTH:
        raise invalid_input(f"{field}.description", f"longer than {_MAX_DESCRIPTION_LENGTH} characters")


def _is_port(text: str) -> bool:
    if text == "any":
        return True
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text)
    return match is not None and 1 <= int(match[1]) <= int(match[2] or match[1]) <= _MAX_PORT


def _create(cloud: Cloud, _: Props) -> Created:
    return Created(str(cloud.state.next_id()), {})


def _before_delete(cloud: Cloud, id_: str, _: Props) -> None:
    users = [live["name"] for live in cloud.of(common.SERVER).values() if int(id_) in (live.get("firewallIds") or [])]
    if users:
        raise api_error("resource_in_use", f"firewall with ID '{id_}' is still in use by {', '.join(sorted(users))}")


def _validate_attachment(cloud: Cloud, id_: str | None, props: Props) -> None:
    if not props.get("serverIds") and not props.get("labelSelectors"):
        raise invalid_input("serverIds", "no resources referenced")
    get_resource(cloud, common.FIREWALL, props["firewallId"], "firewall")
    if id_ is None and str(props["firewallId"]) in cloud.of(common.FIREWALL_ATTACHMENT):
        raise api_error(
            "firewall_already_applied",
            f"firewall {props['firewallId']} already has an attachment: only one is possible",
        )
    for server in props.get("serverIds") or []:
        get_resource(cloud, common.SERVER, server, "server")


def _attach(cloud: Cloud, props: Props) -> Created:
    _update_attachments(cloud, int(props["firewallId"]), set(), set(props.get("serverIds") or []))
    return Created(str(props["firewallId"]), {})


def _reattach(cloud: Cloud, _: str, props: Props, old: Props) -> Props:
    _update_attachments(
        cloud, int(props["firewallId"]), set(old.get("serverIds") or []), set(props.get("serverIds") or [])
    )
    return {}


def _detach(cloud: Cloud, _: str, live: Props) -> None:
    _update_attachments(cloud, int(live["firewallId"]), set(live.get("serverIds") or []), set())


def _update_attachments(cloud: Cloud, firewall: int, before: set[int], after: set[int]) -> None:
    for id_ in before | after:
        server = cloud.of(common.SERVER).get(str(id_))
        if server is not None:
            others = [other for other in server.get("firewallIds") or [] if other != firewall]
            server["firewallIds"] = [*others, firewall] if id_ in after else others


KINDS: Final = (
    Kind(
        type=common.FIREWALL,
        dialect="sdk2",
        auto_named=True,
        create=_create,
        sets=frozenset({"rules", "rules.sourceIps", "rules.destinationIps", "applyTos"}),
        canonical={"rules.sourceIps": common.canonical_cidr, "rules.destinationIps": common.canonical_cidr},
        # A server's firewallIds also attach a firewall. The API reports these attachments as applyTos.
        computed=frozenset({"applyTos"}),
        validators={
            "labels": common.label_error,
            "rules.direction": _direction_error,
            "rules.protocol": _protocol_error,
            "rules.sourceIps": common.cidr_error,
            "rules.destinationIps": common.cidr_error,
        },
        validate=_validate,
        before_delete=_before_delete,
    ),
    Kind(
        type=common.FIREWALL_ATTACHMENT,
        dialect="sdk2",
        create=_attach,
        replaces=frozenset({"firewallId"}),
        sets=frozenset({"serverIds", "labelSelectors"}),
        validate=_validate_attachment,
        after_update=_reattach,
        before_delete=_detach,
        delete_before_replace=True,
    ),
)
