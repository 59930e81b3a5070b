"""The resources of a plan that a vendor would refuse as duplicates if they existed. This module loads no client."""

from collections.abc import Sequence

from ops.adoption.findings import Candidate
from ops.plan import Plan
from ops.resource_types import UNIQUE


def unique_creations(plan: Plan) -> Sequence[Candidate]:
    """Every resource of a unique type that the plan creates."""
    return [Candidate.of(step) for step in plan.changes if step.op == "create" and step.state.type in UNIQUE]
