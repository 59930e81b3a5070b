"""The server that a plan resizes. This module is part of every `up`, and loads no client."""

from dataclasses import dataclass

from ops.json_paths import top_level_key
from ops.plan import Plan, short_name
from ops.resource_types import SERVER


@dataclass(frozen=True, kw_only=True)
class Resize:
    """A server whose type a plan changes. `node` is its name at Hetzner and in Kubernetes."""

    urn: str
    id: int
    node: str
    old_type: str
    new_type: str

    def __str__(self) -> str:
        return (
            f"{short_name(self.urn)} is resized from {self.old_type} to {self.new_type}: node {self.node} is drained, "
            "the server is off for some minutes, and the node takes pods again. All other changes follow afterwards."
        )


def resize_of(plan: Plan) -> Resize | None:
    """The server that the plan resizes. A guard rail refuses a plan with several."""
    for step in plan.changes:
        if step.op == "update" and step.state.type == SERVER and "serverType" in map(top_level_key, step.changed):
            old, new = (state.inputs if state else {} for state in (step.old, step.new))
            return Resize(
                urn=step.urn,
                id=int(step.state.id or (step.old.id if step.old else "")),
                node=str(new["name"]),
                old_type=str(old.get("serverType")),
                new_type=str(new["serverType"]),
            )
    return None
