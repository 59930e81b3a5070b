"""What people see of a plan: every change in a line, and every refusal with its way out."""

import re
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ops.cost import cost
from ops.guardrails.rules import DEPLOYMENT, Violation
from ops.plan import Plan, Step

SYMBOLS = {
    "create": "[green]+[/]",
    "update": "[yellow]~[/]",
    "delete": "[red]-[/]",
    "replace": "[red]±[/]",
    "import": "[blue]=[/]",
}
SHOWN = 4
"""Paths in a line; `--diff` shows all, with their values."""


def changes(plan: Plan) -> RenderableType:
    """The program's warnings; one line a resource: what happens to it, what differs, and whether pods restart for it; the cost."""
    warnings = [Text(warning, style="yellow") for warning in plan.warnings]
    price = [Text(f"Monthly cost: {found}")] if (found := cost(plan)) else []
    if not plan.changes:
        return Group(*warnings, Text("No changes."), *price)
    table = Table(box=None, pad_edge=False)
    table.add_column()
    table.add_column("resource", no_wrap=True)
    table.add_column("what differs", overflow="fold")
    for step in plan.changes:
        table.add_row(SYMBOLS.get(step.op, step.op), step.short, differs(step))
    return Group(*warnings, table, *price)


def differs(step: Step) -> str:
    paths = list(dict.fromkeys(re.sub(r"\[\d+\]", "", path) for path in step.changed))
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    restarts = (
        step.state.type == DEPLOYMENT
        and step.op == "update"
        and any(path.startswith("spec.template") for path in paths)
    )
    return ", ".join(paths[:SHOWN]) + more + (" (its pods roll)" if restarts else "")


def refusal(violations: Sequence[Violation], *, stack: str) -> RenderableType:
    """Every promise that would be broken: the resource, why, and what to do."""
    lines: list[RenderableType] = [
        Text(f"Refused, nothing was changed: {len(violations)} to mend or to mean.", style="red")
    ]
    for one in violations:
        lines.append(Text.assemble(("  " + one.resource, "bold"), " ", one.reason))
        lines.append(Text("    " + one.how, style="dim"))
    excusable = list(dict.fromkeys(one.resource for one in violations if one.may_be_meant))
    if len(excusable) > 1 and len(excusable) == len({one.resource for one in violations}):
        lines.append(Text(f'To mean all of it: make up STACK={stack} MEAN="{" ".join(excusable)}"'))
    return Group(*lines)
