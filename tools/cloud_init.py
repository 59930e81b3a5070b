"""cloud-init itself, as Debian packages it: the judge of what nodes are told. It is on no Python index, so it is fetched."""

from pathlib import Path

from tools import debian


def modules() -> Path:
    """The folder to put on PYTHONPATH, fetched when it is missing; a BuildError in one line when that fails."""
    return debian.root("cloud-init") / "usr/lib/python3/dist-packages"
