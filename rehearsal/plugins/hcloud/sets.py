"""The orders of the elements of a set in the real plugin.

It sends them by their CRC-32, compared as decimal text (terraform-plugin-sdk, helper/schema/set.go and serialize.go).
The state contains them by their values (go-cty, cty/set_internals.go).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

_Scalar = TypeVar("_Scalar", str, int)


def ordered(values: Iterable[_Scalar]) -> list[_Scalar]:
    """Strings or integers."""
    return sorted(set(values), key=lambda value: _code(f"{value};"))


def stored_rules(rules: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rules of a firewall as the state contains them, with an empty value for each field that is not set."""
    unset: dict[str, Any] = {"description": "", "port": "", "sourceIps": [], "destinationIps": []}
    full = [{**unset, **{name: value for name, value in rule.items() if value}} for rule in rules]
    inner = [{name: sorted(value) if name.endswith("Ips") else value for name, value in rule.items()} for rule in full]
    return sorted(inner, key=lambda rule: json.dumps(rule, sort_keys=True))


def ordered_rules(rules: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rules of a firewall in Pulumi's names, and the sets inside them."""
    inner = [
        {name: ordered(value) if name.endswith("Ips") else value for name, value in rule.items() if value}
        for rule in rules
    ]
    return sorted(inner, key=lambda rule: _code(_serialized(rule)))


def _serialized(rule: Mapping[str, Any]) -> str:
    fields = (
        ("description", rule.get("description", "")),
        ("destination_ips", _serialized_set(rule.get("destinationIps", []))),
        ("direction", rule.get("direction", "")),
        ("port", rule.get("port", "")),
        ("protocol", rule.get("protocol", "")),
        ("source_ips", _serialized_set(rule.get("sourceIps", []))),
    )
    return "".join(f"{name}:{value};" for name, value in fields)


def _serialized_set(values: Iterable[str]) -> str:
    return "{" + "".join(f"{value};" for value in values) + "}"


def _code(serialized: str) -> str:
    return str(zlib.crc32(serialized.encode()))
