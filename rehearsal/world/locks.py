"""A lock between processes, held on a file. The kernel releases it when the process ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Waits for the lock and holds it inside the block. The file remains."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        flock(lock, LOCK_EX)
        yield
