"""Commands run in turn, and what each took."""

import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one run took."""

    cpu: float
    """Seconds of CPU time, user and system, of the command and all processes that it started and waited for."""
    wall: float
    """Seconds from its start to its end."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two things that were run in turn, so that whatever else the machine does slows both."""

    subject: Sequence[Cost]
    reference: Sequence[Cost]

    def medians(self, of: Callable[[Cost], float]) -> tuple[float, float]:
        """The median of the subject and that of the reference."""
        return statistics.median(map(of, self.subject)), statistics.median(map(of, self.reference))


def compare(subject: Callable[[int], Cost], reference: Callable[[int], Cost], *, rounds: int) -> Comparison:
    """Runs both once, not counted, and then `rounds` times in turn. Each is told the number of the round."""
    costs = [(reference(number), subject(number)) for number in range(rounds + 1)][1:]
    return Comparison(subject=[one for _, one in costs], reference=[one for one, _ in costs])


def cost(action: Callable[[], object]) -> Cost:
    """What the processes that an action runs take."""
    cpu, began = _children(), time.monotonic()
    action()
    return Cost(cpu=_children() - cpu, wall=time.monotonic() - began)


def run(command: Sequence[str], *, cwd: str, env: Mapping[str, str]) -> str:
    """Runs a command and returns what it printed; a RuntimeError with its own words when it failed."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
