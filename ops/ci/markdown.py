"""How a plan is shown in a comment, as Markdown. Never contains a value of a property, except settings.

A refusal may contain settings of the nodes, which the stack's file contains in plain text.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from ops.guardrails.summary import changed_properties, refusal_headline
from ops.guardrails.violation import Violation
from ops.plan import Plan

MAX_ROWS = 100
"""Gitea rejects a comment that is too long."""


def preview(plan: Plan, violations: Sequence[Violation], *, cost: str) -> str:
    """The changes, the violations, the warnings and the monthly cost."""
    return "\n".join([*_changes(plan), *_refusal(violations), *_warnings(plan), "", f"Monthly cost: {cost}"])


def failure(message: str) -> str:
    """The engine's message when it could not compute a plan."""
    return f"**Could not compute a plan.**\n\n{_quoted(message)}"


def _changes(plan: Plan) -> Iterator[str]:
    if not plan.changes:
        yield "No changes."
        return
    counts = Counter(step.op for step in plan.changes)
    yield ", ".join(f"{count} to {op}" for op, count in sorted(counts.items())) + ".\n"
    yield "| | resource | changed properties |"
    yield "|---|---|---|"
    for step in plan.changes[:MAX_ROWS]:
        yield f"| {step.op} | `{step.short}` | {_cell(changed_properties(step))} |"
    if len(plan.changes) > MAX_ROWS:
        yield f"\n… and {len(plan.changes) - MAX_ROWS} more: `make preview`."


def _refusal(violations: Sequence[Violation]) -> Iterator[str]:
    if violations:
        yield f"\n**{refusal_headline(violations)}**\n"
        for violation in violations:
            yield f"- `{violation.resource}` {_cell(violation.reason)}<br>{_cell(violation.fix)}"


def _warnings(plan: Plan) -> Iterator[str]:
    if plan.warnings:
        yield f"\nWarnings:\n\n{_quoted(chr(10).join(plan.warnings))}"


def _cell(text: str) -> str:
    """Escape every character that Markdown or HTML interprets."""
    for character in "\\|<>*_`@[]":
        text = text.replace(character, f"&#{ord(character)};")
    return text


def _quoted(text: str) -> str:
    # Indented and not fenced: the text could close a fence.
    return "\n".join(f"    {line}" for line in text.splitlines())
