"""Which servers a plan keeps, and which it creates."""

from collections.abc import Sequence

from ops.plan import Plan
from ops.resource_types import SERVER


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
