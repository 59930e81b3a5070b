"""Builds programs from their pinned sources with Go.

Every folder beside this file with a `go.mod` is one Go module: `go.mod` names the program, `go.sum` pins every byte of source.

One program is compiled at a time, on all cores: two at once would each compile the packages that they share. While its binaries are
linked, on one core, the next program compiles already. Meanwhile the sources of the following ones are downloaded.
"""

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from tools.program import DISK_FULL, HERE, BuildError, Program

OLDEST_GO = Version("1.26")
COMPILED_AT_ONCE = 1
BUILDS_AT_ONCE = 2
"""One that compiles, one that is linked."""
BUILD_FLAGS = ("-gcflags=all=-dwarf=false",)
"""No debugging information is made, as the linker would strip it (-s -w) anyway."""
GB_AT_LEAST = 3.0
GB_A_MINUTE = 0.3
"""Free space by the minutes that the builds take, for module sources and Go's build cache: 16 GB for all of them, until they are done."""


def check_go() -> str:
    """The Go compiler's path; a BuildError that says what to install when there is none, or too old a one."""
    go = shutil.which("go")
    if go is None:
        raise BuildError(f"no Go found on PATH; what is built from source needs Go ≥ {OLDEST_GO}: https://go.dev/dl/")
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, cwd=HERE).stdout
    number = re.match(r"go(\d+\.\d+(?:\.\d+)?)", said)
    if number is None or Version(number[1]) < OLDEST_GO:
        raise BuildError(
            f"Go {number[1] if number else 'of unknown version'} at {go} is too old; Go ≥ {OLDEST_GO} is needed: https://go.dev/dl/"
        )
    return go


def check_space(folder: Path, programs: Sequence[Program]) -> None:
    """A BuildError where the folder's disk has less room than building these programs takes."""
    free, needed = (
        shutil.disk_usage(folder).free / 1e9,
        GB_AT_LEAST + GB_A_MINUTE * sum(program.minutes for program in programs),
    )
    if free < needed:
        raise BuildError(
            f"only {free:.0f} GB free in {folder}; building {len(programs)} programs needs {needed:.0f} GB for a while (1 GB stays): "
            "free some, or set HONEYDUE_CACHE to a folder on a larger disk"
        )


_REASONS = (
    (r"no space left on device", DISK_FULL),
    (
        r"dial tcp|no such host|i/o timeout|connection refused|connection reset|TLS handshake|proxyconnect|50[234] |GOPROXY list is not",
        "the Go module proxy could not be reached: check the network, or GOPROXY",
    ),
    (
        r"checksum mismatch|SECURITY ERROR",
        "a download does not match go.sum: it is not what was reviewed, so it is not built",
    ),
)


def explain(output: str) -> str:
    """What a failed `go` command means for the person at the keyboard."""
    for pattern, reason in _REASONS:
        if re.search(pattern, output):
            return reason
    return next((line for line in reversed(output.splitlines()) if line.strip()), "go said nothing")


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A program whose sources are all there."""

    scratch: Path
    packages: int
    """How many Go packages it consists of."""
    commands: frozenset[str]
    """The import paths of those that become binaries."""

    @property
    def source(self) -> Path:
        return self.scratch / "source"

    @property
    def product(self) -> Path:
        return self.scratch / "product"


class Builder:
    """Runs `go` with caches of its own, so that nothing of many GB stays in the user's. Safe to be used from several threads."""

    def __init__(self, *, go: str, cache: Path) -> None:
        self._go = go
        self._cache = cache
        self._go_caches = cache / "go"
        self._compiling = threading.Semaphore(COMPILED_AT_ONCE)
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False
        self._environment = os.environ | {
            "CGO_ENABLED": "0",
            "GOCACHE": str(self._go_caches / "build"),
            "GOMODCACHE": str(self._go_caches / "modules"),
            # -modcacherw: the module cache is read-only otherwise, and could not be dropped.
            "GOFLAGS": "-mod=readonly -modcacherw -trimpath -buildvcs=false",
            "GOWORK": "off",
            "GOTOOLCHAIN": "local",
        }

    def prepare(self, program: Program) -> Prepared:
        """Downloads what the program is made of; raises BuildError."""
        scratch = Path(tempfile.mkdtemp(dir=self._cache, prefix=".building-"))
        source, product = scratch / "source", scratch / "product"
        shutil.copytree(program.folder, source)
        product.mkdir()
        for module, file in program.copies:
            _copy(Path(self._module(program, module, source), file), product)
        for file in program.embeds:
            # Embedded by our main.go, or started by the program: of use in both places, and cheap.
            for place in (source, product):
                _copy(Path(self._module(program, program.module, source), file), place)
            (product / Path(file).name).chmod(0o755)
        if program.copies:
            return Prepared(scratch=scratch, packages=0, commands=frozenset())
        # It downloads the modules of these packages, and no others.
        listed = self._run(
            program,
            source,
            "list",
            "-deps",
            "-tags",
            program.tags,
            "-f",
            "{{.Name}} {{.ImportPath}}",
            *program.packages,
        )
        packages = [line.split() for line in listed.splitlines()]
        return Prepared(
            scratch=scratch,
            packages=len(packages),
            commands=frozenset(path for name, path in packages if name == "main"),
        )

    def build(self, program: Program, prepared: Prepared, folder: Path, advance: Callable[[float], None]) -> None:
        """Makes the program's folder; raises BuildError. `advance` is told the share of the packages that are compiled."""
        if not program.copies:
            self._compile(program, prepared, advance)
        for was, becomes in program.renames.items():
            (prepared.product / was).rename(prepared.product / becomes)
        os.rename(prepared.product, folder)
        shutil.rmtree(prepared.scratch)

    def stop(self) -> None:
        """Ends all that runs, and lets nothing more begin."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()

    def drop(self) -> None:
        """Removes sources and build cache. After a failure they stay, so that the next run goes on where this one was."""
        shutil.rmtree(self._go_caches, ignore_errors=True)

    def _compile(self, program: Program, prepared: Prepared, advance: Callable[[float], None]) -> None:
        # -v: each package is named when its turn comes. Those that the build cache has are not.
        flags = (
            "-v",
            *BUILD_FLAGS,
            "-tags",
            program.tags,
            "-ldflags",
            program.ldflags,
            "-o",
            f"{prepared.product}/",
            *program.packages,
        )
        lines, commands = [], set(prepared.commands)
        with self._compiling_turn() as give_up_turn, self._started(prepared.source, "build", *flags) as process:
            advance(0)
            assert process.stderr is not None  # noqa: S101  # a pipe, as asked for
            for line in process.stderr:
                lines.append(line)
                commands.discard(line.strip())
                advance(len(lines) / prepared.packages)
                if not commands:
                    give_up_turn()
        self._check(program, process, "".join(lines))

    @contextmanager
    def _compiling_turn(self) -> Iterator[Callable[[], None]]:
        """Waits for its turn; yields how to give it up early."""
        self._compiling.acquire()
        given_up = threading.Event()

        def give_up() -> None:
            if not given_up.is_set():
                given_up.set()
                self._compiling.release()

        try:
            yield give_up
        finally:
            give_up()

    @contextmanager
    def _started(self, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        with self._lock:
            if self._stopped:
                raise BuildError("stopped, as another program failed")
            process = subprocess.Popen(
                [self._go, *arguments],
                cwd=folder,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            self._running.add(process)
        try:
            with process:
                yield process
        finally:
            self._running.discard(process)

    def _module(self, program: Program, module: str, source: Path) -> str:
        self._run(program, source, "mod", "download", module)
        return self._run(program, source, "list", "-m", "-f", "{{.Dir}}", module).strip()

    def _run(self, program: Program, folder: Path, *arguments: str) -> str:
        with self._started(folder, *arguments) as process:
            output, errors = process.communicate()
        self._check(program, process, errors)
        return output

    def _check(self, program: Program, process: subprocess.Popen[str], errors: str) -> None:
        if process.returncode != 0:
            log = self._cache / f"{program.name}.log"
            log.write_text(errors)
            raise BuildError(f"{program.name} was not built: {explain(errors)} (go's own words: {log})")


def _copy(file: Path, folder: Path) -> None:
    for one in sorted(file.iterdir()) if file.is_dir() else [file]:
        shutil.copy(one, folder / one.name)
