"""Settings that state a fact about existing nodes: a node takes them over when it is created, and never again.

The program records them in the state, and a guard rail compares them with the settings
(ops/guardrails/node_facts.py). The user data itself cannot be compared: it is secret, an adopted server has none, and
each version of the program may write another text for the same facts.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from infra.settings.model import Effect, Model
from infra.settings.schema import Settings

Facts = Mapping[str, str | int | bool]
"""Values by the key of their setting, for example "cluster.podCidr"."""

PRIVATE_NETWORK_ONLY = frozenset({"private_range", "private_ipv4"})
"""Settings that nothing reads while the nodes use their public addresses."""


@dataclass(frozen=True, kw_only=True)
class NodeFacts:
    """The facts of a stack.

    Attributes:
        fixed: facts that hold as long as any server of the cluster exists.
        manual: the same, until an operator has changed all nodes by hand.
        nodes: by alias, facts that hold as long as this server exists.
    """

    fixed: Facts
    manual: Facts
    nodes: Mapping[str, Facts]


def node_facts(settings: Settings) -> NodeFacts:
    """All settings of nodes, access and cluster, except those that an `up` can change on a running cluster."""
    unread = PRIVATE_NETWORK_ONLY if settings.cluster.network == "public" else frozenset()
    # The upgrade controller installs this version on existing nodes.
    upgraded = {"k3s_version"} if settings.upgrades and settings.upgrades.k3s else frozenset()
    fixed = {
        **_facts(settings.access, "access", effect=None),
        **_facts(settings.cluster, "cluster", effect=None, without=unread),
        # A running cluster is not bootstrapped again, but its init node may be removed.
        "cluster.initNode": "set" if settings.cluster.bootstrapped else "not set",
    }
    every_node = _facts(settings.cluster, "cluster", effect=Effect.NEW_NODES, without=upgraded)
    nodes = {}
    for alias, node in settings.nodes.items():
        fixed |= _facts(node, f"nodes.{alias}", effect=None)
        nodes[alias] = every_node | _facts(node, f"nodes.{alias}", effect=Effect.NEW_NODES, without=unread)
    return NodeFacts(fixed=fixed, manual=_facts(settings.cluster, "cluster", effect=Effect.MANUAL), nodes=nodes)


def _facts(
    model: Model, path: str, *, effect: Effect | None, without: Collection[str] = ()
) -> dict[str, str | int | bool]:
    values = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        f"{path}.{field.alias}": values[field.alias]
        for name, field in type(model).model_fields.items()
        if field.alias in values and name not in without and effect_of(field.metadata) is effect
    }


def effect_of(metadata: Collection[object]) -> Effect | None:
    """The effect among a field's metadata, or None if its value must not change."""
    return next((entry for entry in metadata if isinstance(entry, Effect)), None)
