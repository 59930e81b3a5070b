"""A lock between processes: a file that stays, and that the system unlocks when its holder ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Waits until no other process holds the lock, and holds it for the length of the block."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        flock(lock, LOCK_EX)
        yield
