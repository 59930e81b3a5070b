"""How drift is shown: as a table in the terminal, and as Markdown in CI. Secrets are masked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ops.drift.masking import Masking
from ops.drift.rows import DriftRow

HEADINGS = ("resource", "property", "declared", "actual")
MAX_VALUE_LENGTH = 120
"""Characters of a value, enough to recognize it."""


@dataclass(frozen=True, kw_only=True)
class DriftReport:
    """The result of a drift check.

    Attributes:
        instructions: how to revert drift that an `up` does not revert, as sentences.
        expected_changes: changes that are no drift, as sentences.
        unlisted_kinds: kinds of objects that the account may not list.
    """

    rows: Sequence[DriftRow]
    instructions: Sequence[str] = ()
    expected_changes: Sequence[str] = ()
    unlisted_kinds: Sequence[str] = ()


def table(report: DriftReport, masking: Masking) -> RenderableType:
    """One row for each property, for the terminal."""
    notes = [Text(line, style="dim") for line in _notes(report)]
    if not report.rows:
        return Group(Text("No drift.", style="green"), *notes)
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in HEADINGS:
        grid.add_column(heading, overflow="fold")
    for cells in _cells(report, masking):
        grid.add_row(*map(Text, cells))
    return Group(Text(_headline(report), style="red"), grid, *notes)


def markdown(report: DriftReport, masking: Masking, *, stack: str) -> str:
    """The body of an issue."""
    lines = [f"**{_headline(report)} of stack {stack}**" if report.rows else f"**No drift of stack {stack}**", ""]
    if report.rows:
        lines += [_line(HEADINGS), _line(["---"] * len(HEADINGS))]
        lines += [_line([cell and f"`{_escape(cell)}`" for cell in cells]) for cells in _cells(report, masking)]
        lines.append("")
    return "\n".join([*lines, *(f"- {note}" for note in _notes(report))]) + "\n"


def unchecked_markdown(message: str, *, stack: str) -> str:
    """The body of an issue when the check failed."""
    return f"**Could not check stack {stack} for drift**\n\n```\n{message}\n```\n"


def _cells(report: DriftReport, masking: Masking) -> Iterator[tuple[str, ...]]:
    for row in sorted(report.rows, key=lambda row: (row.resource, row.property)):
        yield (
            masking(row.resource),
            masking(row.property),
            format_value(row.declared, masking),
            format_value(row.actual, masking),
        )


def format_value(value: JsonValue, masking: Masking) -> str:
    """A value on one line, masked and shortened."""
    text = _text(value, masking)
    return text if len(text) <= MAX_VALUE_LENGTH else text[: MAX_VALUE_LENGTH - 1] + "…"


def _text(value: JsonValue, masking: Masking) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case list():
            return ", ".join(_text(item, masking) for item in value)
        case dict():
            items = (f"{key}: {_text(item, masking)}" for key, item in value.items() if item not in (None, "", [], {}))
            return "{" + ", ".join(items) + "}"
        case _:
            # Mask before the text is shortened or joined: part of a secret would no longer match.
            return " ".join(masking(str(value)).split())


def _headline(report: DriftReport) -> str:
    count = len({row.resource for row in report.rows})
    return f"Drift in {count} resource{'' if count == 1 else 's'}"


def _notes(report: DriftReport) -> Iterator[str]:
    yield from (f"{instruction}." for instruction in report.instructions)
    yield from (f"Not drift: {change}." for change in report.expected_changes)
    if report.unlisted_kinds:
        yield (
            "Undeclared objects of these kinds were not checked, because the account may not list them: "
            f"{', '.join(report.unlisted_kinds)}."
        )


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|").replace("`", "'")
