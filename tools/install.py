"""Installs the programs that a command needs into a cache: their vendors' releases, or builds from pinned sources.

A program is installed if the cache has no folder for its key. A finished folder appears by rename, so an interrupted
installation is simply repeated. `HONEYDUE_CACHE` moves the cache, `HONEYDUE_TOOLS` chooses releases or sources
(docs/tools.md).
"""

import errno
import sys
from collections.abc import Sequence

import click
from rich.console import Console

from tools import official
from tools.cache import cache_folder, cache_lock, install_folder
from tools.console import print_plain, stderr_console
from tools.errors import DISK_FULL, INTERRUPTED, ToolsError
from tools.program import Program
from tools.purposes import Purpose, required_programs


def install_missing(console: Console, programs: Sequence[Program]) -> None:
    """Installs those of the programs that the cache lacks, and reports the progress.

    Prints nothing if all are installed. Raises ToolsError.
    """
    if not _missing(programs):
        return
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolsError(
            f"cannot create the cache folder {cache} ({error.strerror}): set HONEYDUE_CACHE to a writable folder"
        ) from error
    try:
        with cache_lock(cache, lambda: print_plain(console, f"Waiting for another process that installs into {cache}")):
            if missing := _missing(programs):
                # Imported here, because loading an HTTP client would slow every command that has nothing to install.
                from tools.installer import install  # noqa: PLC0415

                install(missing, cache, console)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise ToolsError(DISK_FULL) from error


def _missing(programs: Sequence[Program]) -> Sequence[Program]:
    return [program for program in programs if not install_folder(program).is_dir()]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("purposes", nargs=-1, type=click.Choice([purpose.value for purpose in Purpose]))
def main(purposes: Sequence[str]) -> None:
    """Install the missing programs for these PURPOSES. The default is a rehearsal."""
    console = stderr_console()
    try:
        programs = required_programs(*map(Purpose, purposes))
        if notice := official.notice():
            print_plain(console, notice)
        install_missing(console, programs)
    except ToolsError as error:
        print_plain(console, f"tools: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        print_plain(console, INTERRUPTED)
        sys.exit(130)


if __name__ == "__main__":
    main(prog_name="python -m tools.install")
