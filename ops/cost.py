"""What a month costs after a plan, and what it cost before."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from infra.settings.schema import Prices
from ops.guardrails.rules import SERVER
from ops.plan import Plan

STACK = "pulumi:pulumi:Stack"
PRICES = "honeydue:prices"


class Cost(BaseModel):
    """The output `monthlyCost`, as the last `up` left it in the state."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel)

    total: float
    currency: str
    as_of: str

    def __str__(self) -> str:
        return f"{self.currency} {self.total:.2f}"


def cost(plan: Plan) -> str:
    """ "EUR 25.47 → EUR 32.46 (prices of 2026-04-24)": before and after, or the one where it stays.

    Empty where the plan does not tell: it has no prices, or was not made to its end.
    """
    if plan.errors or PRICES not in plan.config:
        return ""
    # A replaced server has several steps, and is paid for once.
    servers = {
        step.urn: str(step.new.inputs["serverType"]) for step in plan.steps if step.new and step.new.type == SERVER
    }
    prices = Prices.model_validate_json(plan.config[PRICES])
    after = Cost(total=prices.month(servers.values()), currency=prices.currency, asOf=prices.as_of)
    before = _before(plan)
    change = f"{before} → " if before and str(before) != str(after) else ""
    return f"{change}{after} (prices of {after.as_of})"


def _before(plan: Plan) -> Cost | None:
    for step in plan.steps:
        if step.old and step.old.type == STACK and "monthlyCost" in step.old.outputs:
            return Cost.model_validate(step.old.outputs["monthlyCost"])
    return None
