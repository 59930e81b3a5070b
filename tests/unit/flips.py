"""Settings of a stack with other values, and the plan of its nodes and their firewall after such a change."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic.alias_generators import to_camel

from infra.edge.ranges import CloudflareRanges
from infra.machines.firewall import rules
from infra.settings.node_facts import node_facts
from infra.settings.schema import Settings
from ops.engine.sentinels import UNKNOWN
from ops.plan import Plan
from ops.resource_types import FIREWALL, PRIMARY_IP, SERVER, SERVERS
from tests.unit.capture import example_settings
from tests.unit.plans import plan, step

RANGES = CloudflareRanges(ipv4=("173.245.48.0/20",), ipv6=("2400:cb00::/32",))
PRIVATE = {"cluster.network": "private"} | {
    f"nodes.hetzner{number}.privateIpv4": f"10.0.0.1{number}" for number in (1, 2, 3)
}
"""The changes that move the nodes of the example to a private network."""


def example(changes: Mapping[str, object] | None = None) -> Settings:
    """The example settings with other values, by key such as "cluster.network". None removes a value."""
    fields = {to_camel(name) for name in Settings.model_fields}
    values: dict[str, Any] = {key.removeprefix("honeydue:"): value for key, value in example_settings().items()}
    for path, value in (changes or {}).items():
        values = _with(values, path.split("."), value)
    return Settings.model_validate({key: value for key, value in values.items() if key in fields})


def _with(parent: Mapping[str, Any], path: Sequence[str], value: object) -> dict[str, Any]:
    name, *rest = path
    changed = {**parent, name: _with(parent.get(name) or {}, rest, value) if rest else value}
    return {key: item for key, item in changed.items() if item is not None}


def flip(old: Settings, new: Settings, *, replaced: Collection[str] = (), **config: str) -> Plan:
    """The plan after a change of the settings. Servers stay, except those that are new, removed or `replaced`."""
    steps = [_update(SERVERS, "machines", {"facts": asdict(node_facts(old))}, {"facts": asdict(node_facts(new))})]
    # In another order than in the settings, as in the engine's plans.
    for alias, node in reversed({**old.nodes, **new.nodes}.items()):
        op = "create" if alias not in old.nodes else "same" if alias in new.nodes else "delete"
        address = {"outputs": {"ipAddress": str(node.ipv4)}}
        steps.append(step(op, PRIMARY_IP, alias, old=address))
        steps.append(step("replace" if alias in replaced else op, SERVER, alias))
    return plan(*steps, _update(FIREWALL, "honeydue", {"rules": firewall(old)}, {"rules": firewall(new)}), **config)


def _update(kind: str, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    return step("same" if old == new else "update", kind, name, old={"inputs": old}, inputs=new)


def firewall(settings: Settings) -> list[dict[str, Any]]:
    """The rules as in a plan: the address of a new node is unknown."""
    public = settings.cluster.network == "public"
    nodes = [f"{node.ipv4}/32" if node.ipv4 else UNKNOWN for node in settings.nodes.values()] if public else []
    return [
        {
            "direction": "in",
            "protocol": rule.protocol,
            "sourceIps": list(rule.sources),
            "description": rule.description,
            **({"port": rule.port} if rule.port else {}),
        }
        for rule in rules(
            access=settings.access,
            allow_https_from=RANGES,
            nodes=nodes,
            flannel_backend=settings.cluster.flannel_backend,
            embedded_registry=settings.cluster.embedded_registry,
        )
    ]
