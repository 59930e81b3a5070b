"""Builds programs from pinned sources with Go.

Each folder under tools/ with a `go.mod` is one Go module: `go.mod` pins the program, `go.sum` all bytes of its sources.

One program is compiled at a time, on all cores: two parallel builds would compile their common packages twice. While
its binaries are linked, which uses one core, the next program is compiled. Meanwhile, the sources of the following
programs are downloaded.
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

from tools import staging
from tools.console import counted
from tools.errors import DISK_FULL, ToolsError, explain
from tools.program import HERE, Program

OLDEST_GO = Version("1.26.6")
PARALLEL_COMPILATIONS = 1
PARALLEL_BUILDS = 2
"""Programs that are built at the same time: one is compiled and one is linked."""
BUILD_FLAGS = ("-gcflags=all=-dwarf=false",)
"""Omits debugging information, which the linker would remove anyway (-s -w)."""
MINIMUM_GB = 3.0
GB_PER_MINUTE = 0.3
"""Disk space for module sources and Go's build cache, by build time: 16 GB for all programs, until they are built."""
_REASONS = (
    (r"no space left on device", DISK_FULL),
    (
        r"dial tcp|no such host|i/o timeout|connection refused|connection reset|TLS handshake|proxyconnect|50[234] "
        r"|GOPROXY list is not",
        "the Go module proxy is unreachable: check the network, or GOPROXY",
    ),
    (
        r"checksum mismatch|SECURITY ERROR",
        "a downloaded module is refused, because it does not match go.sum",
    ),
)


def require_go() -> str:
    """Path of the Go compiler. Raises ToolsError if it is missing or too old."""
    go = shutil.which("go")
    if go is None:
        raise ToolsError(f"no Go compiler on PATH: install Go ≥ {OLDEST_GO} from https://go.dev/dl/")
    output = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, cwd=HERE).stdout
    version = re.match(r"go(\d+\.\d+(?:\.\d+)?)", output)
    if version is None or Version(version[1]) < OLDEST_GO:
        raise ToolsError(
            f"Go {version[1] if version else 'of unknown version'} at {go} is too old: "
            f"install Go ≥ {OLDEST_GO} from https://go.dev/dl/"
        )
    return go


def check_disk_space(folder: Path, programs: Sequence[Program]) -> None:
    """Raises ToolsError if the folder's disk has too little free space to build these programs."""
    free = shutil.disk_usage(folder).free / 1e9
    required = MINIMUM_GB + GB_PER_MINUTE * sum(program.build_minutes for program in programs)
    if free < required:
        raise ToolsError(
            f"only {free:.0f} GB are free in {folder}, but building {counted(len(programs), 'program')} temporarily "
            f"needs {required:.0f} GB: free some space, or set HONEYDUE_CACHE to a folder on a larger disk"
        )


@dataclass(frozen=True, kw_only=True)
class PreparedSource:
    """A program whose sources are downloaded."""

    folder: Path
    """Temporary folder of this build."""
    package_count: int
    commands: frozenset[str]
    """Import paths of the packages that become binaries."""

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def product(self) -> Path:
        return self.folder / "product"


class Builder:
    """Runs `go` with separate caches, which are removed after the builds: they take several GB. Thread-safe."""

    def __init__(self, *, go: str, cache: Path) -> None:
        self._go = go
        self._cache = cache
        self._go_caches = cache / "go"
        self._compilations = threading.Semaphore(PARALLEL_COMPILATIONS)
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[str]] = set()
        self._stopped = False
        self._environment = os.environ | {
            "CGO_ENABLED": "0",
            "GOCACHE": str(self._go_caches / "build"),
            "GOMODCACHE": str(self._go_caches / "modules"),
            # -modcacherw: without it the module cache is read-only and could not be removed.
            "GOFLAGS": "-mod=readonly -modcacherw -trimpath -buildvcs=false",
            "GOWORK": "off",
            "GOTOOLCHAIN": "local",
        }

    def prepare(self, program: Program) -> PreparedSource:
        """Downloads the sources of a program. Raises ToolsError."""
        folder = Path(tempfile.mkdtemp(dir=self._cache, prefix=staging.PREFIX))
        source, product = folder / "source", folder / "product"
        shutil.copytree(program.folder, source)
        product.mkdir()
        for module, path in program.copies:
            _copy_files(Path(self._module_folder(program, module, source), path), product)
        for path in program.embeds:
            # Our main.go embeds the file, or the program runs it: both places get a copy.
            for target in (source, product):
                _copy_files(Path(self._module_folder(program, program.module, source), path), target)
            (product / Path(path).name).chmod(0o755)
        if program.copies:
            return PreparedSource(folder=folder, package_count=0, commands=frozenset())
        # `go list -deps` downloads the modules of these packages and no others.
        arguments = ("-deps", "-tags", program.tags, "-f", "{{.Name}} {{.ImportPath}}", *program.packages)
        packages = [line.split() for line in self._run(program, source, "list", *arguments).splitlines()]
        commands = frozenset(path for name, path in packages if name == "main")
        return PreparedSource(folder=folder, package_count=len(packages), commands=commands)

    def build(
        self, program: Program, prepared: PreparedSource, folder: Path, on_progress: Callable[[float], None]
    ) -> None:
        """Creates the program's folder. Calls `on_progress` with the share of compiled packages. Raises ToolsError."""
        if not program.copies:
            self._compile(program, prepared, on_progress)
        for name, installed_name in program.renames.items():
            (prepared.product / name).rename(prepared.product / installed_name)
        os.rename(prepared.product, folder)
        shutil.rmtree(prepared.folder)

    def stop(self) -> None:
        """Terminates all running processes. No further process can start."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.terminate()

    def remove_caches(self) -> None:
        """Removes sources and Go's build cache. They stay after a failure, so that the next run can use them."""
        shutil.rmtree(self._go_caches, ignore_errors=True)

    def _compile(self, program: Program, prepared: PreparedSource, on_progress: Callable[[float], None]) -> None:
        # -v prints each package that is compiled. It omits those in the build cache.
        arguments = ["-v", *BUILD_FLAGS, "-tags", program.tags, "-ldflags", program.ldflags]
        arguments += ["-o", f"{prepared.product}/", *program.packages]
        lines, uncompiled = [], set(prepared.commands)
        with (
            self._compilation_slot() as release_slot,
            self._start(prepared.source, "build", *arguments) as process,
        ):
            on_progress(0)
            assert process.stderr is not None  # noqa: S101  # _start opens a pipe
            for line in process.stderr:
                lines.append(line)
                uncompiled.discard(line.strip())
                on_progress(len(lines) / prepared.package_count)
                if not uncompiled:
                    # Only linking remains.
                    release_slot()
        self._raise_for_exit_code(program, process, "".join(lines))

    @contextmanager
    def _compilation_slot(self) -> Iterator[Callable[[], None]]:
        """Waits for permission to compile. Yields a function that gives the permission back early."""
        self._compilations.acquire()
        released = threading.Event()

        def release() -> None:
            if not released.is_set():
                released.set()
                self._compilations.release()

        try:
            yield release
        finally:
            release()

    @contextmanager
    def _start(self, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        with self._lock:
            if self._stopped:
                raise ToolsError("stopped, because another program failed")
            process = subprocess.Popen(
                [self._go, *arguments],
                cwd=folder,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            self._processes.add(process)
        try:
            with process:
                yield process
        finally:
            self._processes.discard(process)

    def _module_folder(self, program: Program, module: str, source: Path) -> str:
        self._run(program, source, "mod", "download", module)
        return self._run(program, source, "list", "-m", "-f", "{{.Dir}}", module).strip()

    def _run(self, program: Program, folder: Path, *arguments: str) -> str:
        with self._start(folder, *arguments) as process:
            output, errors = process.communicate()
        self._raise_for_exit_code(program, process, errors)
        return output

    def _raise_for_exit_code(self, program: Program, process: subprocess.Popen[str], errors: str) -> None:
        if process.returncode != 0:
            log = self._cache / f"{program.name}.log"
            log.write_text(errors)
            reason = explain(errors, _REASONS, default="go printed no error")
            raise ToolsError(f"cannot build {program.name}: {reason} (output of go: {log})")


def _copy_files(source: Path, folder: Path) -> None:
    """Copies a file, or the files of a folder."""
    for file in sorted(source.iterdir()) if source.is_dir() else [source]:
        shutil.copy(file, folder / file.name)
