"""Reads the actual values of a resource from its refreshed state.

The plugins of Hetzner and Cloudflare return refreshed inputs only for what the program declares: a list is cut to the
declared length, the elements of a set are paired by position, and an added label is missing. Their outputs are complete
(pulumi-terraform-bridge, pkg/tfbridge/schema.go: extractInputs).
"""

import json
import re
from collections.abc import Collection

from pydantic import JsonValue

from ops.plain_text import masked
from ops.plan import State

BRIDGED = ("hcloud:", "cloudflare:")
"""Prefixes of the types whose outputs contain the actual value of every input."""
UNORDERED = ("hcloud:", "cloudflare:index/dnsRecord:")
"""Prefixes of the types whose lists are sets. A refresh returns the elements in the order of their hashes."""
COMPUTED_FIELDS = frozenset({"macAddress", "networkId"})
"""Outputs of a server's network, which the program declares by its subnet."""


def is_internal(path: str) -> bool:
    """Whether the path is the engine's own, such as "rules[1].__defaults" or "__meta"."""
    return re.search(r"(^|\.)__", path) is not None


def refreshed(state: State, names: Collection[str]) -> State:
    """The state, with the actual values of these properties as inputs.

    A scalar is taken from the inputs if they have it, because the outputs contain the hash of some texts.
    """
    if not state.type.startswith(BRIDGED):
        return state
    outputs = {
        name: state.outputs[name]
        for name in names
        if name in state.outputs and (name not in state.inputs or isinstance(state.outputs[name], list | dict))
    }
    return state.model_copy(update={"inputs": {**state.inputs, **outputs}})


def comparable(state: State) -> dict[str, JsonValue]:
    """The masked inputs of a state, without the engine's own properties. Equal inputs are equal JSON."""
    inputs = {key: value for key, value in masked(state).items() if not is_internal(key)}
    if not state.type.startswith(BRIDGED):
        return inputs
    values = {key: _canonical(value, ordered=not state.type.startswith(UNORDERED)) for key, value in inputs.items()}
    return {key: value for key, value in values.items() if not _is_empty(value)}


def _canonical(value: JsonValue, *, ordered: bool) -> JsonValue:
    """Sort sets, and leave out what the provider treats as unset."""
    if isinstance(value, dict):
        fields = {
            key: _canonical(item, ordered=ordered)
            for key, item in value.items()
            if not is_internal(key) and key not in COMPUTED_FIELDS
        }
        return {key: item for key, item in fields.items() if not _is_empty(item)}
    if isinstance(value, list):
        items = [_canonical(item, ordered=ordered) for item in value]
        return items if ordered else sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
    return value


def _is_empty(value: JsonValue) -> bool:
    return value is not False and not value


def firewall_rule_text(value: JsonValue) -> str | None:
    """A firewall rule as text, "in tcp 5432 from 0.0.0.0/0". None for other values."""
    if not isinstance(value, dict) or not {"direction", "protocol"} <= value.keys():
        return None
    sources, destinations = (_addresses(value.get(key)) for key in ("sourceIps", "destinationIps"))
    parts = [value["direction"], value["protocol"], value.get("port")]
    parts += [sources and f"from {sources}", destinations and f"to {destinations}"]
    return " ".join(str(part) for part in parts if part)


def _addresses(value: JsonValue) -> str:
    """Addresses on one line, those of the whole internet first: the report may cut the end."""
    addresses = [str(address) for address in value] if isinstance(value, list) else []
    return ", ".join(sorted(addresses, key=lambda address: not address.endswith("/0")))
