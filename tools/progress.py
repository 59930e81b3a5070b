"""Reports the progress of an installation: a bar in a terminal, lines in a log, both with the remaining time."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

MINIMUM_SHARE = 0.05
"""Share of the work that must be completed before the remaining time is estimated."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """The installation of one program."""

    verb: str
    """For example "building", as in "building etcd"."""
    weight: float
    """Amount of work, relative to the other jobs."""


class Meter:
    """Completed share of the work, and the remaining time at the speed of this run."""

    def __init__(self, weights: Mapping[str, float], clock: Callable[[], float] = time.monotonic) -> None:
        self._weights = weights
        self._completed = dict.fromkeys(weights, 0.0)
        self._clock = clock
        self._start = clock()

    def advance(self, job: str, share: float) -> None:
        """Records the completed share of a job. A share never decreases."""
        self._completed[job] = max(self._completed[job], min(share, 1.0))

    @property
    def share(self) -> float:
        """Completed share of all work, between 0 and 1."""
        return sum(self._weights[job] * share for job, share in self._completed.items()) / sum(self._weights.values())

    @property
    def elapsed_minutes(self) -> float:
        return (self._clock() - self._start) / 60

    @property
    def remaining_minutes(self) -> float | None:
        """None until MINIMUM_SHARE is completed."""
        return self.elapsed_minutes * (1 - self.share) / self.share if self.share >= MINIMUM_SHARE else None


class Report:
    """Shows the progress of jobs on a console. Thread-safe."""

    def __init__(self, console: Console, jobs: Mapping[str, Job], clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._jobs = jobs
        self._meter = Meter({name: job.weight for name, job in jobs.items()}, clock)
        self._running: dict[str, None] = {}
        self._finished = 0
        self._lock = threading.Lock()
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            columns = (
                SpinnerColumn(),
                BarColumn(),
                TextColumn("{task.fields[remaining]}:"),
                TextColumn("{task.description}", markup=False),
            )
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task("", total=1, remaining="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def advance(self, job: str, share: float) -> None:
        """Records the completed share of a job. The first call announces the job."""
        with self._lock:
            if job not in self._running:
                self._running[job] = None
                self._print(f"{self._jobs[job].verb} {job}")
            self._meter.advance(job, share)
            self._update_bar()

    def finish(self, job: str) -> None:
        """Records that a job is completed."""
        with self._lock:
            self._running.pop(job, None)
            self._finished += 1
            self._meter.advance(job, 1)
            self._print(f"{job} is ready, {self._summary()}")

    def _summary(self) -> str:
        count = f"{self._finished} of {len(self._jobs)}"
        minutes = self._meter.remaining_minutes
        if not minutes:
            return count
        return f"{count}, about {minutes:.0f} min left" if minutes >= 1 else f"{count}, less than a minute left"

    def _print(self, line: str) -> None:
        if not self._bar:
            self._console.print(f"  {line}", highlight=False, markup=False)
        self._update_bar()

    def _update_bar(self) -> None:
        if self._bar:
            running = ", ".join(f"{self._jobs[job].verb} {job}" for job in self._running)
            self._bar.update(
                self._task,
                completed=self._meter.share,
                description=running or "downloading sources",
                remaining=self._summary(),
            )
