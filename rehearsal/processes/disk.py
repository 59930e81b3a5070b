"""The disk of a world. When it is full, etcd and the API server end with errors of many kinds."""

import shutil
from pathlib import Path

from rehearsal.errors import RehearsalError

MINIMUM_BYTES = 512 * 2**20
"""For etcd, the logs and the state of a world with simulated nodes."""
FULL_BYTES = 16 * 2**20


def require_space(folder: Path) -> None:
    """Raise a RehearsalError if the disk of the folder has too little space for a world."""
    free = shutil.disk_usage(folder).free
    if free < MINIMUM_BYTES:
        raise RehearsalError(
            f"the disk of {folder} has {free // 2**20} MiB left, and a world needs {MINIMUM_BYTES // 2**20} MiB: free "
            "some space, for example with make rehearse-down"
        )


def full_disk(folder: Path) -> str:
    """What an error adds if the disk of the folder is full, otherwise nothing."""
    return f". The disk of {folder} is full" if shutil.disk_usage(folder).free < FULL_BYTES else ""
