"""What people, and CI, see of drift: a table, and the same in Markdown. Nothing secret leaves here."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from infra.settings.secrets import SECRETS
from ops.drift.rows import Drift
from ops.plain_text import MASK

HEADINGS = ("resource", "property", "declared", "found")
LONGEST = 120
"""Characters of a value: enough to recognise it."""
SHORTEST_SECRET, SHORTEST_LINE = 6, 20
"""Characters of a secret, and of a line of one: anything shorter would be found by chance."""


class Masking:
    """Takes the stack's own secrets out of any text, whoever put them there."""

    def __init__(self, settings: Mapping[str, JsonValue]) -> None:
        known = {text for key in SECRETS for text in _texts(settings.get(key)) if len(text) >= SHORTEST_SECRET}
        encoded = {base64.b64encode(text.encode()).decode() for text in known}
        # The longest first, as one may hold another.
        self._known = sorted(known | encoded, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._known:
            text = text.replace(secret, MASK)
        return text


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value.strip()
        # Of a long text only the lines that differ are shown.
        yield from (line for line in map(str.strip, value.splitlines()) if len(line) >= SHORTEST_LINE)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that a look brought: drift, what moved as it may, and kinds of objects that the account may not list."""

    drifts: Sequence[Drift]
    motions: Sequence[str] = ()
    unseen: Sequence[str] = ()


def table(findings: Findings, masking: Masking) -> RenderableType:
    """One line a property."""
    notes = [Text(line, style="dim") for line in _notes(findings)]
    if not findings.drifts:
        return Group(Text("No drift.", style="green"), *notes)
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in HEADINGS:
        shown.add_column(heading, overflow="fold")
    for row in _rows(findings, masking):
        shown.add_row(*map(Text, row))
    return Group(Text(_counted(findings), style="red"), shown, *notes)


def markdown(findings: Findings, masking: Masking, *, stack: str) -> str:
    """The body of an issue, or of a comment."""
    lines = [f"**{_counted(findings)} of stack {stack}**" if findings.drifts else f"**No drift of stack {stack}**", ""]
    if findings.drifts:
        lines += [_line(HEADINGS), _line(["---"] * len(HEADINGS))]
        lines += [_line([cell and f"`{_escaped(cell)}`" for cell in row]) for row in _rows(findings, masking)]
        lines.append("")
    return "\n".join([*lines, *(f"- {note}" for note in _notes(findings))]) + "\n"


def unchecked(why: str, *, stack: str) -> str:
    """Likewise, where nobody could look."""
    return f"**Drift of stack {stack} could not be checked**\n\n```\n{why}\n```\n"


def _rows(findings: Findings, masking: Masking) -> Iterator[tuple[str, ...]]:
    for one in sorted(findings.drifts, key=lambda one: (one.resource, one.property)):
        yield masking(one.resource), masking(one.property), written(one.declared, masking), written(one.found, masking)


def written(value: JsonValue, masking: Masking) -> str:
    """A value in a line."""
    text = _text(value, masking)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _text(value: JsonValue, masking: Masking) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case list():
            return ", ".join(_text(one, masking) for one in value)
        case dict():
            return (
                "{"
                + ", ".join(
                    f"{key}: {_text(one, masking)}" for key, one in value.items() if one not in (None, "", [], {})
                )
                + "}"
            )
        case _:
            # Masked before anything is cut off or put together.
            return " ".join(masking(str(value)).split())


def _counted(findings: Findings) -> str:
    resources = len({one.resource for one in findings.drifts})
    return f"Drift in {resources} {'thing' if resources == 1 else 'things'}"


def _notes(findings: Findings) -> Iterator[str]:
    yield from (f"No drift: {motion}." for motion in findings.motions)
    if findings.unseen:
        yield f"Undeclared objects of these kinds were not looked for, as the account may not list them: {', '.join(findings.unseen)}."


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("`", "'")
