"""Copies the files of a stopped world, as far as they cannot be made anew."""

import shutil
from dataclasses import replace
from pathlib import Path

from rehearsal.engine import engine
from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout

BLOCK = 1 << 20


def copy_world(original: Layout, copy: Layout) -> None:
    """Copies cluster data, authorities, clouds, state and settings. The copy's record says that it is a clone.

    Everything else holds the original's own paths, and is written anew: programs, plugins and kubeconfigs. Raises a
    RehearsalError for a world whose data holds addresses that the copy cannot replace.
    """
    record = original.read_record()
    if record is None:
        raise RehearsalError(f"{original.folder} holds no world of this version, and cannot be cloned")
    if record.bootstrapped or record.real_nodes:
        raise RehearsalError(
            f"the world in {original.folder} cannot be cloned: its etcd and its nodes are bound to their addresses"
        )
    copy.make_folders()
    for kept in (original.pki, original.etcd, original.clouds, original.backend):
        shutil.copytree(kept, copy.folder / kept.name, copy_function=_copy_sparse, dirs_exist_ok=True)
    for kept in (original.project, original.config):
        shutil.copy2(kept, copy.folder)
    engine.install(copy)
    copy.write_record(replace(record, cloned=True))


def _copy_sparse(source: str, target: str) -> None:
    """Copies one file without its blocks of zeros: etcd reserves 64 MB for each of its logs before it fills them."""
    with Path(source).open("rb") as original, Path(target).open("wb") as copy:
        while block := original.read(BLOCK):
            if block.strip(b"\0"):
                copy.write(block)
            else:
                copy.seek(len(block), 1)
        copy.truncate()
    shutil.copystat(source, target)
