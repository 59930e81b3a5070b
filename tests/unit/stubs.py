"""Programs that stand in for those of a machine, and machines that lack them."""

from pathlib import Path

import pytest


def stand_in(folder: Path, name: str, script: str) -> None:
    """A program of that name, in a folder that is to stand first on PATH."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def alone_on_path(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Only the folder, and the system's own programs."""
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
