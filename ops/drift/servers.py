"""Finds servers that do not run. The program declares no power state, so the engine plans no change for them.

Somebody may have switched a server off, or a resize was interrupted, for which the provider powers it off.
"""

from collections.abc import Iterator, Sequence

from ops.drift.rows import DriftRow, last_steps
from ops.json_paths import dig
from ops.plan import Plan
from ops.resource_types import SERVER

RUNNING = "running"
"""Of Hetzner's statuses (https://docs.hetzner.cloud/#servers), the only one of a server that serves."""


def stopped_servers(plan: Plan) -> Iterator[DriftRow]:
    """The servers that do not run, according to a plan that was made with a refresh."""
    for step in last_steps(plan):
        if step.old and step.new and step.state.type == SERVER:
            status = dig(step.old.outputs, "status")
            if status not in (None, RUNNING):
                yield DriftRow(resource=step.short, property="status", declared=RUNNING, actual=status)


def power_on_instructions(plan: Plan, stopped: Sequence[DriftRow]) -> Sequence[str]:
    """How to start the servers of these rows, as sentences."""
    hostnames = {step.short: dig(step.old.outputs, "name") for step in plan.steps if step.old}
    return [
        f"{row.resource} does not run, and up does not start it, not even with REFRESH=1. Power it on in Hetzner's "
        f"console, or with hcloud server poweron {hostnames[row.resource]}. "
        f"If a drain left its node cordoned: kubectl uncordon {hostnames[row.resource]}"
        for row in stopped
    ]
