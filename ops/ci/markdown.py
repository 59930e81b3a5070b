"""A plan for people who read it in a browser, as `ops/guardrails/summary.py` shows it in a terminal. Never a value."""

from collections import Counter
from collections.abc import Iterator, Sequence

from ops.guardrails.rules import Violation
from ops.guardrails.summary import changed_properties, refusal_headline
from ops.plan import Plan

SHOWN = 100
"""Rows. A comment that Gitea refuses as too long would show nothing at all."""


def preview(plan: Plan, violations: Sequence[Violation], *, cost: str) -> str:
    """What would happen, what is refused, and what it costs."""
    return "\n".join([*_changes(plan), *_refusal(violations), *_warnings(plan), "", f"Monthly cost: {cost}"])


def failure(said: str) -> str:
    """Why there is no plan, in the engine's own words."""
    return f"**Could not compute a plan.**\n\n{_quoted(said)}"


def _changes(plan: Plan) -> Iterator[str]:
    if not plan.changes:
        yield "No changes."
        return
    counts = Counter(step.op for step in plan.changes)
    yield ", ".join(f"{count} to {op}" for op, count in sorted(counts.items())) + ".\n"
    yield "| | resource | changed properties |"
    yield "|---|---|---|"
    for step in plan.changes[:SHOWN]:
        yield f"| {step.op} | `{step.short}` | {_cell(changed_properties(step))} |"
    if len(plan.changes) > SHOWN:
        yield f"\n… and {len(plan.changes) - SHOWN} more: `make preview`."


def _refusal(violations: Sequence[Violation]) -> Iterator[str]:
    if violations:
        yield f"\n**{refusal_headline(violations)}**\n"
        for one in violations:
            yield f"- `{one.resource}` {_cell(one.reason)}<br>{_cell(one.fix)}"


def _warnings(plan: Plan) -> Iterator[str]:
    if plan.warnings:
        yield f"\nWarnings:\n\n{_quoted(chr(10).join(plan.warnings))}"


def _cell(text: str) -> str:
    """Nothing in it is read as Markdown's or HTML's own signs."""
    for sign in "\\|<>*_`@[]":
        text = text.replace(sign, f"&#{ord(sign)};")
    return text


def _quoted(text: str) -> str:
    # Indented: no fence can be closed from within.
    return "\n".join(f"    {line}" for line in text.splitlines())
