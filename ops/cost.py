"""The monthly cost before and after a plan."""

from infra.settings.prices import Prices
from ops.plan import EngineModel, Plan
from ops.resource_types import SERVER

STACK = "pulumi:pulumi:Stack"
PRICES = "honeydue:prices"


class Cost(EngineModel):
    """The stack output `monthlyCost`."""

    total: float
    currency: str
    as_of: str

    def __str__(self) -> str:
        return f"{self.currency} {self.total:.2f}"


def cost(plan: Plan) -> str:
    """The monthly cost: "EUR 25.47 → EUR 32.46 (prices of 2026-04-24)", or one amount if it does not change.

    Empty if the plan is incomplete or the settings have no prices.
    """
    if plan.errors or PRICES not in plan.config:
        return ""
    # By URN: a replaced server has several steps and is paid for once.
    servers = {
        step.urn: str(step.new.inputs["serverType"]) for step in plan.steps if step.new and step.new.type == SERVER
    }
    prices = Prices.model_validate_json(plan.config[PRICES])
    after = Cost(total=prices.month(servers.values()), currency=prices.currency, as_of=prices.as_of)
    before = _before(plan)
    change = f"{before} → " if before and str(before) != str(after) else ""
    return f"{change}{after} (prices of {after.as_of})"


def _before(plan: Plan) -> Cost | None:
    """The output of the last `up`, from the state."""
    for step in plan.steps:
        if step.old and step.old.type == STACK and "monthlyCost" in step.old.outputs:
            return Cost.model_validate(step.old.outputs["monthlyCost"])
    return None
