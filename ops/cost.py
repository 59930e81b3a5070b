"""What a month costs after a plan, and before it."""

import json
from collections.abc import Mapping

from pydantic import TypeAdapter

from infra.schema import Prices
from infra.topology import Node
from ops.plan import Plan

NODES = "honeydue:nodes"
PRICES = "honeydue:prices"


def monthly_cost(plan: Plan, *, now: float | None) -> str:
    """In words, from the settings that the plan was made with; `now` is the stack's own output, None before its first `up`."""
    prices = Prices.model_validate(json.loads(plan.config[PRICES]))
    nodes: Mapping[str, Node] = TypeAdapter(dict[str, Node]).validate_json(plan.config[NODES])
    then = prices.month(nodes.values())
    change = "" if now is None else ", as now" if now == then else f", {now:.2f} {prices.currency} now"
    return f"{then:.2f} {prices.currency} a month{change} (net, prices of {prices.as_of})"
