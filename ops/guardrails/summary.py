"""How a plan and its violations are shown in a terminal."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from ops.conditions import is_true
from ops.cost import cost
from ops.guardrails.rules import MIGRATION
from ops.guardrails.violation import Violation
from ops.plan import Plan, Step
from ops.resource_types import DEPLOYMENT

SYMBOLS = {
    "create": "[green]+[/]",
    "update": "[yellow]~[/]",
    "delete": "[red]-[/]",
    "replace": "[red]±[/]",
    "import": "[blue]=[/]",
}
FINISHED = ("Complete", "Failed")
"""Conditions of a Job whose pods have ended."""
MEASURED_WIDTH = 10_000
SHOWN_PATHS = 4
"""Property paths in one row. `preview --diff` shows all of them, with their values."""


def changes(plan: Plan) -> RenderableType:
    """The program's warnings, one row for each changed resource, and the monthly cost."""
    if plan.errors and not plan.changes:
        return Group()  # "No changes." above the errors would be wrong
    warnings = [Text(warning, style="yellow") for warning in [*plan.warnings, *stopped_migration(plan)]]
    price = [Text(f"Monthly cost: {text}")] if (text := cost(plan)) else []
    if not plan.changes:
        return Group(*warnings, Text("No changes."), *price)
    return Group(*warnings, _Changes(plan.changes), *price)


@dataclass(frozen=True)
class _Changes:
    """A table, or a list in a terminal that is too narrow for it: a path that is broken in two cannot be read."""

    steps: Sequence[Step]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table(box=None, pad_edge=False)
        table.add_column()
        table.add_column("resource", no_wrap=True)
        table.add_column("changed properties", no_wrap=True)
        for step in self.steps:
            table.add_row(SYMBOLS.get(step.op, step.op), step.short, changed_properties(step))
        if console.measure(table, options=options.update(max_width=MEASURED_WIDTH)).maximum <= options.max_width:
            yield table
            return
        for step in self.steps:
            yield Text.from_markup(f"{SYMBOLS.get(step.op, step.op)} {step.short}", overflow="ignore")
            properties = changed_properties(step)
            yield from (Text(f"    {path}", overflow="ignore") for path in properties.split(", ") if path)


def stopped_migration(plan: Plan) -> Sequence[str]:
    """A warning if the plan replaces a migration that had not finished when the state was written."""
    job = next((step.old for step in plan.changes if step.short == MIGRATION and step.deletes and step.old), None)
    if job is None or any(is_true(job.outputs, kind) for kind in FINISHED):
        return []
    return [
        "The migration of an earlier release was interrupted. If it still runs, it is stopped, and the new one starts "
        "when its pod is gone: two never run at the same time."
    ]


def changed_properties(step: Step) -> str:
    """The properties that change, and whether the pods of a Deployment roll for it. Metadata is last."""
    paths = list(dict.fromkeys(re.sub(r"\[\d+\]", "", path) for path in step.changed))
    paths.sort(key=lambda path: path.startswith("metadata"))
    more = f" and {len(paths) - SHOWN_PATHS} more" if len(paths) > SHOWN_PATHS else ""
    rolls = (
        step.state.type == DEPLOYMENT
        and step.op == "update"
        and any(path.startswith("spec.template") for path in paths)
    )
    return ", ".join(paths[:SHOWN_PATHS]) + more + (" (its pods roll)" if rolls else "")


def already_deleted(resources: Sequence[str]) -> RenderableType:
    """The confirmed resources that no longer exist."""
    return Text(f"In ALLOW_DELETE, but not in this stack, so there is nothing to delete: {', '.join(resources)}")


def command_to_continue(allow_delete: Collection[str], *, stack: str) -> RenderableType:
    """The command that completes a deletion that stopped."""
    return Text(
        "Stopped as shown above. What was deleted stays deleted.\n"
        f'  To continue: make up STACK={stack} ALLOW_DELETE="{" ".join(allow_delete)}"'
    )


def undeclared(removals: Sequence[str]) -> RenderableType:
    """What an `up` with a refresh removes from objects before it applies the program."""
    if not removals:
        return Group()
    return Text("\n  ".join(["Removes what somebody added and the program does not declare:", *removals]))


def put_back(manual_changes: Sequence[str]) -> RenderableType:
    """The changes outside of the program that an `up` with a refresh reverted."""
    if not manual_changes:
        return Text("No change was put back: nothing was changed outside of the program.")
    return Text("\n  ".join(["Put back, as the program declares it:", *manual_changes]))


def refusal(violations: Sequence[Violation], *, stack: str) -> RenderableType:
    """Every violation: the resource, the reason, and how to fix or confirm it."""
    lines: list[RenderableType] = [Text(refusal_headline(violations), style="red")]
    for violation in violations:
        lines.append(Text.assemble(("  " + violation.resource, "bold"), " ", violation.reason))
        lines.append(Text("    " + violation.fix, style="dim"))
    confirmable = list(dict.fromkeys(violation.resource for violation in violations if violation.confirmable))
    if len(confirmable) > 1 and len(confirmable) == len({violation.resource for violation in violations}):
        lines.append(Text(f'To confirm all of them: make up STACK={stack} ALLOW_DELETE="{" ".join(confirmable)}"'))
    return Group(*lines)


def refusal_headline(violations: Sequence[Violation]) -> str:
    """The first line of a refusal: the number of violations, and what to do."""
    count = f"{len(violations)} guard rail{'' if len(violations) == 1 else 's'}"
    confirm = (
        ", or confirm the deletions with ALLOW_DELETE" if any(violation.confirmable for violation in violations) else ""
    )
    return f"Refused: the plan breaks {count}. Nothing was changed. Fix each one{confirm}."
