"""How drift is shown: as text in the terminal, and as a table in the Markdown of CI. Secrets are masked."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from pydantic import JsonValue
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ops.drift.masking import Masking
from ops.drift.rows import DriftRow

HEADINGS = ("resource", "property", "declared", "actual")
MAX_VALUE_LENGTH = 120
"""Characters of a value, enough to recognize it."""

ACCESS_KINDS = {
    *("Firewall", "Server", "DnsRecord", "A", "AAAA", "CNAME", "HTTPS", "SVCB"),
    *("Zone", "ZoneSetting", "PageRule", "Ruleset", "WorkerRoute"),
    *("NetworkPolicy", "Ingress", "Service", "Middleware", "TLSOption", "HelmChartConfig"),
    *("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ServiceAccount"),
    *("Namespace", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
}
"""Kinds that decide who may connect, what an account may do, and which pods may run. They come first."""


@dataclass(frozen=True, kw_only=True)
class DriftReport:
    """The result of a drift check.

    Attributes:
        instructions: how to revert drift that an `up` does not revert, as sentences.
        expected_changes: changes that are no drift, as sentences.
        unlisted_kinds: kinds of objects that the account may not list.
        skipped: resources that were not compared, because of --without-secrets.
        unread: what Cloudflare's token may not read.
    """

    rows: Sequence[DriftRow]
    instructions: Sequence[str] = ()
    expected_changes: Sequence[str] = ()
    unlisted_kinds: Sequence[str] = ()
    skipped: Sequence[str] = ()
    unread: Sequence[str] = ()


def text(report: DriftReport, masking: Masking) -> RenderableType:
    """For the terminal: each resource, its properties and their two values.

    Resources and properties have lines of their own, which are not wrapped: they are searched for and copied.
    """
    notes = [Text(line, style="dim") for line in _notes(report)]
    if not report.rows:
        return Group(Text("No drift.", style="green"), *notes)
    lines: list[RenderableType] = [Text(_headline(report), style="red")]
    for resource, rows in groupby(_cells(report, masking), key=itemgetter(0)):
        lines += [Text(), Text(resource, style="bold")]
        for _, property_, declared, actual in rows:
            if property_:
                lines.append(Text(f"  {property_}"))
            lines.append(Padding(_values(declared, actual), (0, 0, 0, 4 if property_ else 2), expand=False))
    return Group(*lines, Text(), *notes)


def _values(declared: str, actual: str) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(overflow="fold")
    grid.add_row(Text("declared", style="dim"), Text(declared))
    grid.add_row(Text("actual", style="dim"), Text(actual))
    return grid


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
    for row in sorted(report.rows, key=lambda row: (not opens_door(row.resource), row.resource, row.property)):
        yield (
            masking(row.resource),
            masking(row.property),
            format_value(row.declared, masking),
            format_value(row.actual, masking),
        )


def opens_door(resource: str) -> bool:
    """Whether a change of the resource may allow access: "NetworkPolicy::redis", or "RoleBinding manual"."""
    return re.split("::| ", resource)[0] in ACCESS_KINDS


def format_value(value: JsonValue, masking: Masking) -> str:
    """A value on one line, masked and shortened."""
    line = _text(value, masking)
    return line if len(line) <= MAX_VALUE_LENGTH else line[: MAX_VALUE_LENGTH - 1] + "…"


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
            items = (
                f"{key}: {_text(item, masking)}" for key, item in sorted(value.items()) if item not in (None, "", [])
            )
            return "{" + ", ".join(items) + "}"
        case _:
            # Mask before the text is shortened or joined: part of a secret would no longer match.
            # An empty string is, for example, the core API group in a rule of a Role.
            return " ".join(masking(str(value)).split()) or '""'


def _headline(report: DriftReport) -> str:
    count = len({row.resource for row in report.rows})
    return f"Drift in {count} resource{'' if count == 1 else 's'}"


def _notes(report: DriftReport) -> Iterator[str]:
    yield from (f"{instruction}." for instruction in report.instructions)
    yield from (f"Not drift: {change}." for change in report.expected_changes)
    if report.skipped:
        yield f"Not checked because of --without-secrets: {', '.join(report.skipped)}."
    if report.unlisted_kinds:
        yield (
            "Undeclared objects of these kinds were not checked, because the account may not list them: "
            f"{', '.join(report.unlisted_kinds)}."
        )
    if report.unread:
        yield f"Not checked, because the token in honeydue:cloudflareToken may not read it: {', '.join(report.unread)}."


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|").replace("`", "'")
