"""Builds the pinned programs that a rehearsal runs, once, into a cache keyed by what pins them.

Every folder beside this file is one Go module: its `go.mod` names the program, its `go.sum` pins every byte of source.
A program is built when the cache holds no folder for the hash of those files; a finished build appears by rename, so an
interrupted one is simply done again. `HONEYDUE_CACHE` moves the cache.
"""

import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from packaging.version import InvalidVersion, Version
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tools.programs import CHECKERS, ENGINE, HERE, NODES, PROGRAMS, WORLD, BuildError, Program, cache_folder, installed

OLDEST_GO = Version("1.26")
FREE_GB_NEEDED = 16
"""Module sources take 9 GB and Go's build cache several more while the builds run; both are dropped when they are done."""


def official_pulumi() -> str | None:
    """The version of a Pulumi on PATH that can replace ours: at least the pinned one, with its Python language host."""
    found, host = shutil.which("pulumi"), shutil.which("pulumi-language-python")
    if not found or not host or Path(found).is_relative_to(cache_folder()):
        return None
    said = subprocess.run([found, "version"], capture_output=True, text=True, check=False).stdout.strip()
    try:
        return said if Version(said) >= Version(ENGINE[0].version) else None
    except InvalidVersion:
        return None


def needed() -> tuple[Program, ...]:
    return WORLD + CHECKERS if official_pulumi() else PROGRAMS


def search_path() -> str:
    """The folders of the built programs, to stand first on PATH."""
    return os.pathsep.join(str(installed(program)) for program in needed())


def check_go() -> str:
    """The Go compiler's path; a BuildError that says what to install when there is none, or too old a one."""
    go = shutil.which("go")
    if go is None:
        raise BuildError(f"no Go found on PATH; the rehearsal's programs are built from source with Go ≥ {OLDEST_GO}: https://go.dev/dl/")
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, cwd=HERE).stdout
    number = re.match(r"go(\d+\.\d+(?:\.\d+)?)", said)
    if number is None or Version(number[1]) < OLDEST_GO:
        raise BuildError(
            f"Go {number[1] if number else 'of unknown version'} at {go} is too old; Go ≥ {OLDEST_GO} is needed: https://go.dev/dl/"
        )
    return go


def check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free / 1e9
    if free < FREE_GB_NEEDED:
        raise BuildError(
            f"only {free:.0f} GB free in {folder}; the first build needs {FREE_GB_NEEDED} GB for a while (1 GB stays): "
            "free some, or set HONEYDUE_CACHE to a folder on a larger disk"
        )


_REASONS = (
    (r"no space left on device", "the disk is full: free some space, or set HONEYDUE_CACHE to a folder on a larger disk"),
    (
        r"dial tcp|no such host|i/o timeout|connection refused|connection reset|TLS handshake|proxyconnect|50[234] |GOPROXY list is not",
        "the Go module proxy could not be reached: check the network, or GOPROXY",
    ),
    (r"checksum mismatch|SECURITY ERROR", "a download does not match go.sum: it is not what was reviewed, so it is not built"),
)


def explain(output: str) -> str:
    """What a failed `go` command means for the person at the keyboard."""
    for pattern, reason in _REASONS:
        if re.search(pattern, output):
            return reason
    return next((line for line in reversed(output.splitlines()) if line.strip()), "go said nothing")


class Builder:
    """Runs `go` with caches of its own, so that nothing of many GB stays in the user's."""

    def __init__(self, *, go: str, cache: Path) -> None:
        self._go = go
        self._cache = cache
        self._scratch = cache / "go"
        self._environment = os.environ | {
            "CGO_ENABLED": "0",
            "GOCACHE": str(self._scratch / "build"),
            "GOMODCACHE": str(self._scratch / "modules"),
            # -modcacherw: the module cache is read-only otherwise, and could not be dropped.
            "GOFLAGS": "-mod=readonly -modcacherw -trimpath -buildvcs=false",
            "GOWORK": "off",
            "GOTOOLCHAIN": "local",
        }

    def build(self, program: Program) -> None:
        """Builds one program into the cache; raises BuildError."""
        with tempfile.TemporaryDirectory(dir=self._cache, prefix=".building-") as scratch:
            source, product = Path(scratch, "source"), Path(scratch, "product")
            shutil.copytree(program.folder, source)
            product.mkdir()
            for module, file in program.copies:
                self._copy(Path(self._module(program, module, source), file), product)
            for file in program.embeds:
                # Embedded by our main.go, or started by the program: of use in both places, and cheap.
                for place in (source, product):
                    self._copy(Path(self._module(program, program.module, source), file), place)
                (product / Path(file).name).chmod(0o755)
            if not program.copies:
                self._run(
                    program, "build", "-tags", program.tags, "-ldflags", program.ldflags, "-o", f"{product}/", program.main, cwd=source
                )
            for was, becomes in program.renames.items():
                (product / was).rename(product / becomes)
            os.rename(product, installed(program))

    def drop_scratch(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _copy(self, file: Path, folder: Path) -> None:
        for one in sorted(file.iterdir()) if file.is_dir() else [file]:
            shutil.copy(one, folder / one.name)

    def _module(self, program: Program, module: str, source: Path) -> str:
        self._run(program, "mod", "download", module, cwd=source)
        return self._run(program, "list", "-m", "-f", "{{.Dir}}", module, cwd=source).strip()

    def _run(self, program: Program, *arguments: str, cwd: Path) -> str:
        done = subprocess.run([self._go, *arguments], cwd=cwd, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            log = self._cache / f"{program.name}.log"
            log.write_text(done.stderr)
            raise BuildError(f"{program.name} was not built: {explain(done.stderr)} (go's own words: {log})")
        return done.stdout


@contextmanager
def one_at_a_time(cache: Path) -> Iterator[None]:
    """Holds the cache, so that two runs do not build the same program."""
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_missing(console: Console, chosen: Sequence[Program] | None = None) -> None:
    """Builds what the cache lacks, telling what and how long it takes. Does and says nothing when all is there."""
    chosen = needed() if chosen is None else chosen
    if all(installed(program).is_dir() for program in chosen):
        return
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BuildError(f"the cache folder {cache} cannot be made ({error.strerror}): set HONEYDUE_CACHE to one that can") from error
    go = check_go()
    with one_at_a_time(cache):
        missing = [program for program in chosen if not installed(program).is_dir()]
        if not missing:
            return
        check_space(cache)
        for leftover in cache.glob(".building-*"):
            shutil.rmtree(leftover)
        minutes = sum(program.minutes for program in missing)
        console.print(f"Building {len(missing)} pinned programs from source, once: up to {minutes:.0f} minutes on 2 cores, kept in {cache}")
        builder = Builder(go=go, cache=cache)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("", total=len(missing))
            for program in missing:
                progress.update(task, description=f"{program.name} {program.version}")
                console.print(f"  {program.name} {program.version} (about {program.minutes:g} min)")
                builder.build(program)
                progress.advance(task)
        builder.drop_scratch()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.build", description="Builds what is missing.")
    parser.add_argument("--nodes", action="store_true", help="what real nodes run, too: together it takes less than one after the other")
    asked = parser.parse_args()
    console = Console(stderr=True, soft_wrap=True)
    try:
        build_missing(console, [*needed(), *(NODES if asked.nodes else ())])
    except BuildError as error:
        console.print(f"[red]tools:[/] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("[red]tools:[/] interrupted; what was finished is kept, run it again to go on")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
