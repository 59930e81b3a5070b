"""Stub programs on PATH, and a PATH without the programs of this machine."""

from pathlib import Path

import pytest


def write_stub(folder: Path, name: str, script: str) -> None:
    """Writes a shell script as a program of this name into a folder, which the test puts first on PATH."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def restrict_path(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Sets PATH to the folder and the folders of the operating system."""
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
