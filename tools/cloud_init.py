"""cloud-init from Debian's package: tests validate the nodes' user data with it. No Python package index has it."""

from pathlib import Path

from tools import debian


def python_path() -> Path:
    """The folder for PYTHONPATH. Downloads the package if it is missing; raises ToolsError if that fails."""
    return debian.root_filesystem("cloud-init") / "usr/lib/python3/dist-packages"
