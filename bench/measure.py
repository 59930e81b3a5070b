"""Runs two actions in turn and measures what each costs."""

import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost of one run."""

    cpu: float
    """Seconds of CPU time, user and system, of all child processes that the run started and waited for."""
    wall: float
    """Seconds from start to end."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The costs of two actions that ran in turn, so that other load on the machine slows both."""

    subject: Sequence[Cost]
    baseline: Sequence[Cost]

    def medians(self, metric: Callable[[Cost], float]) -> tuple[float, float]:
        """The median of a metric: of the subject, and of the baseline."""
        return statistics.median(map(metric, self.subject)), statistics.median(map(metric, self.baseline))


def compare(subject: Callable[[int], Cost], baseline: Callable[[int], Cost], *, rounds: int) -> Comparison:
    """Runs both once without counting, then `rounds` times in turn. Each run gets its number as an argument."""
    costs = [(baseline(number), subject(number)) for number in range(rounds + 1)][1:]
    return Comparison(subject=[cost for _, cost in costs], baseline=[cost for cost, _ in costs])


def measure(action: Callable[[], object]) -> Cost:
    """The cost of an action that runs child processes."""
    cpu, start = _child_cpu_seconds(), time.monotonic()
    action()
    return Cost(cpu=_child_cpu_seconds() - cpu, wall=time.monotonic() - start)


def run(command: Sequence[str], *, cwd: str, env: Mapping[str, str]) -> str:
    """Runs a command and returns its output. Raises RuntimeError with the output if the command fails."""
    result = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"`{' '.join(command)}` exited with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout


def _child_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
