"""The lines of the report, and the exit code that follows from them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from ops.errors import OpsError

WELL, NOT_WELL, UNCHECKED = 0, 1, 2
"""Exit codes."""


SUBJECTS = (
    *("settings", "cluster", "nodes", "release", "pods", "migration", "backups", "snapshots"),
    *("uptime", "alerts", "rules", "certificates", "cost"),
)
"""The subjects of the lines, in the order of the report."""


class Result(Enum):
    """What a check found. The value is the first word of the line."""

    OK = "ok"
    PROBLEM = "problem"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the report: one of the subjects, the result and a text."""

    subject: str
    text: str
    result: Result = Result.OK


def problem(subject: str, text: str) -> Line:
    return Line(subject=subject, text=text, result=Result.PROBLEM)


def unchecked(subject: str, text: str) -> Line:
    return Line(subject=subject, text=text, result=Result.UNCHECKED)


def checked(subject: str, lines: Callable[[], Iterable[Line]]) -> Iterator[Line]:
    """The lines, or one with the reason why they could not be read."""
    try:
        # All of them before the first is passed on, so that an error replaces them.
        yield from list(lines())
    except OpsError as error:
        yield unchecked(subject, str(error))


def in_order(lines: Iterable[Line]) -> Sequence[Line]:
    """The lines by subject. Those of one subject keep their order."""
    return sorted(lines, key=lambda line: SUBJECTS.index(line.subject))


def exit_code(lines: Sequence[Line]) -> int:
    """2 if anything could not be checked, also if there are problems: more may be unknown."""
    results = {line.result for line in lines}
    if Result.UNCHECKED in results:
        return UNCHECKED
    return NOT_WELL if Result.PROBLEM in results else WELL
