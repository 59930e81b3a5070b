"""The official Pulumi CLI on PATH: used instead of the engine that this checkout brings, where it is new enough."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from packaging.version import InvalidVersion, Version

from tools.programs import PULUMI, cache_folder

INSTALL = "https://www.pulumi.com/docs/install/"


@dataclass(frozen=True, kw_only=True)
class Official:
    """A Pulumi on PATH that did not come from this checkout."""

    path: str
    version: str
    """As it says itself; empty where it says none."""
    runs_python: bool
    """Whether its language host for Python is on PATH, too."""

    @property
    def problem(self) -> str:
        """Why it cannot be used, in one sentence with what to do; empty when it can."""
        pin = PULUMI.tag.removeprefix("v")
        version = self.version.removeprefix("v")
        try:
            if Version(version) < Version(pin):
                return f"pulumi {version} at {self.path} is older than {pin}, which the program needs: upgrade it ({INSTALL})"
        except InvalidVersion:
            return f"pulumi at {self.path} says {version!r} instead of a version of at least {pin}: install a released one ({INSTALL})"
        if not self.runs_python:
            return f"pulumi {version} at {self.path} has no pulumi-language-python on PATH: install the whole release ({INSTALL})"
        return ""


def official() -> Official | None:
    """The one on PATH, if there is any."""
    found = shutil.which("pulumi")
    if found is None or Path(found).is_relative_to(cache_folder()):
        return None
    return Official(path=found, version=_version(found), runs_python=shutil.which("pulumi-language-python") is not None)


def usable() -> Official | None:
    """The official Pulumi that replaces the engine of this checkout; None where there is none, or one that cannot be used."""
    found = official()
    return found if found and not found.problem else None


def notice() -> str:
    """What to tell of an official Pulumi that is passed over; empty where there is none, or a usable one."""
    found = official()
    return f"{found.problem}; until then, the engine of this checkout is used" if found and found.problem else ""


@cache
def _version(pulumi: str) -> str:
    # Without a look for newer versions, which needs the network.
    quietly = os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        return subprocess.run(
            [pulumi, "version"], capture_output=True, text=True, check=False, env=quietly, timeout=30
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
