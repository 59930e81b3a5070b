"""Brings the programs that a command runs, once, into a cache: as their vendors' releases, or built from their pinned sources.

A program is brought when the cache has no folder for what pins it; a finished one appears by rename, so that an interrupted one is simply
done again. `HONEYDUE_CACHE` moves the cache, `HONEYDUE_TOOLS` chooses between releases and sources (docs/tools.md).
"""

import errno
import fcntl
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console

from tools import needs, official
from tools.needs import Purpose
from tools.program import DISK_FULL, INTERRUPTED
from tools.programs import BuildError, Program, cache_folder, installed


def needed(*purposes: Purpose) -> tuple[Program, ...]:
    """What these purposes run; without any, a rehearsal."""
    return needs.needed(purposes or [Purpose.REHEARSAL])


def console() -> Console:
    """The one that the tools' own commands speak to: what they run has standard output for itself."""
    return Console(stderr=True, soft_wrap=True)


def say(console: Console, line: str) -> None:
    """Prints a line as it is."""
    console.print(line, highlight=False, markup=False)


@contextmanager
def one_at_a_time(cache: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Holds the cache, so that two runs do not make the same thing. `waiting` is called where another run holds it."""
    with (cache / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_missing(console: Console, chosen: Sequence[Program] | None = None) -> None:
    """Brings what the cache lacks, telling what and how long it takes. Does and says nothing when all is there."""
    chosen = needed() if chosen is None else chosen
    if all(installed(program).is_dir() for program in chosen):
        return
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BuildError(
            f"the cache folder {cache} cannot be made ({error.strerror}): set HONEYDUE_CACHE to one that can"
        ) from error
    try:
        with one_at_a_time(cache, lambda: say(console, f"Waiting for another run that fills {cache}")):
            if missing := [program for program in chosen if not installed(program).is_dir()]:
                # Here and not above: when all is there, nobody waits for an HTTP client to be loaded.
                from tools.bring import bring  # noqa: PLC0415

                bring(missing, cache, console)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise BuildError(DISK_FULL) from error


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("purposes", nargs=-1, type=click.Choice([purpose.value for purpose in Purpose]))
def main(purposes: Sequence[str]) -> None:
    """Brings the programs that the PURPOSES run, where they are missing; without any, those of a rehearsal."""
    try:
        chosen = needed(*map(Purpose, purposes))
        if notice := official.notice():
            say(console(), notice)
        build_missing(console(), chosen)
    except BuildError as error:
        say(console(), f"tools: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        say(console(), INTERRUPTED)
        sys.exit(130)


if __name__ == "__main__":
    main(prog_name="python -m tools.build")
