"""The guard rail for settings that state a fact about existing nodes (infra/settings/node_facts.py)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from ops.guardrails.servers import created_servers, surviving_servers
from ops.guardrails.violation import Violation
from ops.json_paths import dig
from ops.plan import Plan, State
from ops.resource_types import SERVERS


class Change(NamedTuple):
    """A setting with another value than the one that existing nodes were created with."""

    key: str
    old: str
    new: str


def settings_match_nodes(plan: Plan) -> Iterator[Violation]:
    """Guard rail: no setting changes that existing nodes do not take over, so that it would have a part of its effect.

    What may differ between nodes may change if the plan creates a node with the new value. The other nodes can follow
    one after the other.
    """
    surviving = surviving_servers(plan)
    for step in plan.steps:
        if surviving and step.state.type == SERVERS and step.old and step.new:
            old, new = step.old, step.new
            for change in _changes(old, new, "fixed"):
                yield _violation(change, surviving, fix=f"{_set_back(change)}. {_alternative(change)}")
            for change in _changes(old, new, "manual"):
                fix = f"{_set_back(change)}. {_manual(change, plan)}"
                yield _violation(change, surviving, fix=fix, manual=True)
            created = {fact for alias in created_servers(plan) for fact in _facts(new, "nodes", alias).items()}
            aliases: dict[Change, list[str]] = defaultdict(list)
            for alias in surviving:
                for change in _changes(old, new, "nodes", alias):
                    if (change.key, change.new) not in created:
                        aliases[change].append(alias)
            for change, nodes in aliases.items():
                replacing = (
                    f"pulumi config set honeydue:replacing {nodes[0]} --stack {plan.stack}, "
                    f'then make up REPLACE="Server::{nodes[0]}"'
                )
                several = "one node after the other, " if len(nodes) > 1 else ""
                fix = f"{_set_back(change)}, or replace {several}{nodes[0]} first: {replacing}. {_manual(change, plan)}"
                yield _violation(change, nodes, fix=fix, manual=True)


def _violation(change: Change, nodes: Sequence[str], *, fix: str, manual: bool = False) -> Violation:
    return Violation(
        resource=_setting(change),
        rule=settings_match_nodes.__name__,
        reason=f"would change from {change.old} to {change.new}, but {', '.join(nodes)} would keep {change.old}: "
        "a node takes it over when it is created, and never again",
        fix=fix,
        manual=manual,
    )


def _setting(change: Change) -> str:
    return f"honeydue:{change.key}"


def _set_back(change: Change) -> str:
    return f"set it back to {change.old}"


def _alternative(change: Change) -> str:
    if change.key.endswith(".hostname"):
        return "For another hostname, remove the node, and add one with another alias"
    return "It can only be chosen for a new cluster (docs/guard-rails.md, Settings of existing nodes)"


def _manual(change: Change, plan: Plan) -> str:
    return f"""If you have changed the nodes by hand: make up STACK={plan.stack} NODES_HAVE="{_setting(change)}\""""


def _changes(old: State, new: State, *path: str) -> Iterator[Change]:
    """The facts that differ. A fact that only one of the states has belongs to a new node, or to another program."""
    values = _facts(new, *path)
    for key, value in _facts(old, *path).items():
        if values.get(key, value) != value:
            yield Change(key, value, values[key])


def _facts(state: State, *path: str) -> Mapping[str, str]:
    facts = dig(state.inputs, "facts", *path)
    return {key: _text(value) for key, value in facts.items()} if isinstance(facts, dict) else {}


def _text(value: JsonValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
