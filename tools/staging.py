"""Folders that are either complete or absent: they are filled under a temporary name and then renamed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = ".building-"
"""Starts the name of each temporary folder in the cache."""


@contextmanager
def staging_folder(target: Path) -> Iterator[Path]:
    """Yields an empty folder that is renamed to `target` when the block ends, and is removed when the block fails.

    Its parent is a temporary folder in the same file system, for files that do not belong to the result.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=PREFIX) as temporary:
        folder = Path(temporary, "content")
        # A temporary folder is readable by its owner only. Programs of other users run in the result.
        folder.mkdir(mode=0o755)
        yield folder
        os.rename(folder, target)


def remove_leftovers(cache: Path) -> None:
    """Removes the temporary folders of interrupted runs. The caller holds the cache's lock."""
    for folder in cache.glob(f"{PREFIX}*"):
        shutil.rmtree(folder, ignore_errors=True)
