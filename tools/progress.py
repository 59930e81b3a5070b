"""How far a first start is: one bar in a terminal, plain lines in a log, both with the minutes that are left."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

ENOUGH = 0.05
"""The share of the work after which its pace is known well enough to say how long the rest takes."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is done to one program."""

    verb: str
    """As in "building etcd"."""
    weight: float
    """How much work it is, compared with the other jobs."""


class Meter:
    """Shares of the work that are done, and what the rest takes at the pace of this run."""

    def __init__(self, weights: Mapping[str, float], clock: Callable[[], float] = time.monotonic) -> None:
        self._weights = weights
        self._done = dict.fromkeys(weights, 0.0)
        self._clock = clock
        self._began = clock()

    def advance(self, job: str, share: float) -> None:
        """A job never seems less done than before."""
        self._done[job] = max(self._done[job], min(share, 1.0))

    @property
    def share(self) -> float:
        """Of all the work, between 0 and 1."""
        return sum(self._weights[job] * share for job, share in self._done.items()) / sum(self._weights.values())

    @property
    def minutes_passed(self) -> float:
        return (self._clock() - self._began) / 60

    @property
    def minutes_left(self) -> float | None:
        """None before the pace is known."""
        return self.minutes_passed * (1 - self.share) / self.share if self.share >= ENOUGH else None


class Report:
    """Tells a console of the jobs. Used from several threads at once."""

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
                TextColumn("{task.fields[left]}:"),
                TextColumn("{task.description}", markup=False),
            )
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task("", total=1, left="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def advance(self, job: str, share: float) -> None:
        """That share of the job is done; it is told of from the first time on."""
        with self._lock:
            if job not in self._running:
                self._running[job] = None
                self._tell(f"{self._jobs[job].verb} {job}")
            self._meter.advance(job, share)
            self._draw()

    def finish(self, job: str) -> None:
        """All of it is done."""
        with self._lock:
            self._running.pop(job, None)
            self._finished += 1
            self._meter.advance(job, 1)
            self._tell(f"{job} is ready, {self._progress()}")

    def _progress(self) -> str:
        counted = f"{self._finished} of {len(self._jobs)}"
        left = self._meter.minutes_left
        if left is None or not left:
            return counted
        return f"{counted}, about {left:.0f} min left" if left >= 1 else f"{counted}, less than a minute left"

    def _tell(self, line: str) -> None:
        if not self._bar:
            self._console.print(f"  {line}", highlight=False, markup=False)
        self._draw()

    def _draw(self) -> None:
        if self._bar:
            running = ", ".join(f"{self._jobs[job].verb} {job}" for job in self._running)
            self._bar.update(
                self._task,
                completed=self._meter.share,
                description=running or "downloading sources",
                left=self._progress(),
            )
