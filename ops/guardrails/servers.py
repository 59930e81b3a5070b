"""Which servers a plan keeps, which it creates, and which it stops."""

from collections.abc import Sequence

from ops.json_paths import top_level_key
from ops.plan import Plan, Step
from ops.resource_types import SERVER

POWER_OFF_PROPERTIES = frozenset({"serverType", "publicNets", "placementGroupId"})
"""Server properties that Hetzner changes only while the server is off (https://docs.hetzner.cloud/#server-actions)."""


def stopped_servers(plan: Plan) -> Sequence[Step]:
    """The steps that stop a server: it is deleted, replaced, or powered off for a change."""
    stopped = {
        step.urn: step
        for step in plan.changes
        if step.state.type == SERVER and (step.deletes or POWER_OFF_PROPERTIES & set(map(top_level_key, step.changed)))
    }
    return list(stopped.values())


def surviving_servers(plan: Plan) -> Sequence[str]:
    """Aliases of the servers that exist and that the plan neither deletes nor replaces."""
    steps = [step for step in plan.steps if step.state.type == SERVER]
    deleted = {step.urn for step in steps if step.deletes}
    return sorted({step.state.name for step in steps if step.old is not None and step.urn not in deleted})


def created_servers(plan: Plan) -> Sequence[str]:
    """Aliases of the servers that the plan creates, as new nodes or as replacements."""
    return sorted(
        {
            step.new.name
            for step in plan.steps
            if step.new is not None and step.new.type == SERVER and (step.deletes or step.op == "create")
        }
    )
