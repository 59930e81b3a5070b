"""Copies a stopped world to another folder."""

import shutil
from dataclasses import replace
from pathlib import Path

from rehearsal.engine.installation import install
from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout

BLOCK = 1 << 20


def copy_world(original: Layout, copy: Layout) -> None:
    """Copies etcd's data, certificates, clouds, state and settings. The record of the copy has `cloned=True`.

    All other files contain paths of the original and are created again: programs, plugins and kubeconfigs. Raises a
    RehearsalError for a world that cannot be copied.
    """
    record = original.read_record()
    if record is None:
        raise RehearsalError(f"{original.folder} contains no world of this version, so it cannot be cloned")
    if record.bootstrapped or record.real_nodes:
        raise RehearsalError(
            f"the world in {original.folder} cannot be cloned: its etcd members and nodes have fixed addresses"
        )
    copy.make_folders()
    for folder in (original.pki, original.etcd, original.clouds, original.backend):
        shutil.copytree(folder, copy.folder / folder.name, copy_function=_copy_sparse, dirs_exist_ok=True)
    for file in (original.project, original.config):
        shutil.copy2(file, copy.folder)
    install(copy, record.real_plugins)
    copy.write_record(replace(record, cloned=True))


def _copy_sparse(source: str, target: str) -> None:
    """Copies a file and skips blocks of zeros. etcd allocates 64 MB for each write-ahead log before it writes to it."""
    with Path(source).open("rb") as original, Path(target).open("wb") as copy:
        while block := original.read(BLOCK):
            if block.strip(b"\0"):
                copy.write(block)
            else:
                copy.seek(len(block), 1)
        copy.truncate()
    shutil.copystat(source, target)
