"""Console output of the tools."""

from rich.console import Console


def stderr_console() -> Console:
    """A console on standard error: standard output belongs to the command that runs after the tools."""
    return Console(stderr=True, soft_wrap=True)


def counted(count: int, noun: str) -> str:
    """For example "1 program" or "2 programs"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def print_plain(console: Console, line: str) -> None:
    """Prints a line without markup or highlighting, so that brackets in it stay as they are."""
    console.print(line, highlight=False, markup=False)
