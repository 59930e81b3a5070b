"""The official Pulumi CLI on PATH. It replaces the engine of this checkout if its version is new enough."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from packaging.version import InvalidVersion, Version

from tools.cache import cache_folder
from tools.programs import PULUMI

INSTALL = "https://www.pulumi.com/docs/install/"


@dataclass(frozen=True, kw_only=True)
class OfficialPulumi:
    """A Pulumi CLI on PATH that this checkout did not install."""

    path: str
    version: str
    """The output of `pulumi version`. Empty if the command failed."""
    runs_python: bool
    """Whether the language host for Python is on PATH, too."""

    @property
    def problem(self) -> str:
        """Why the CLI cannot be used, and what to do about it. Empty if it can be used."""
        pin = PULUMI.tag.removeprefix("v")
        version = self.version.removeprefix("v")
        try:
            if Version(version) < Version(pin):
                return f"pulumi {version} at {self.path} is older than {pin}: upgrade it ({INSTALL})"
        except InvalidVersion:
            return (
                f"pulumi at {self.path} reports the version {version!r}, expected {pin} or newer: "
                f"install a released version ({INSTALL})"
            )
        if not self.runs_python:
            return (
                f"pulumi {version} at {self.path} has no pulumi-language-python on PATH: "
                f"install the whole release ({INSTALL})"
            )
        return ""


def on_path() -> OfficialPulumi | None:
    """The official CLI on PATH. None if there is none, or if `pulumi` is the one of this checkout's cache."""
    path = shutil.which("pulumi")
    if path is None or Path(path).is_relative_to(cache_folder()):
        return None
    runs_python = shutil.which("pulumi-language-python") is not None
    return OfficialPulumi(path=path, version=_version(path), runs_python=runs_python)


def usable() -> OfficialPulumi | None:
    """The official CLI on PATH that replaces the engine of this checkout. None if there is none that can be used."""
    pulumi = on_path()
    return pulumi if pulumi and not pulumi.problem else None


def notice() -> str:
    """A warning that names an official CLI which cannot be used. Empty if there is none, or a usable one."""
    pulumi = on_path()
    if pulumi is None or not pulumi.problem:
        return ""
    return f"{pulumi.problem}. This command uses the engine of this checkout instead."


@cache
def _version(pulumi: str) -> str:
    # Without this variable, the CLI looks for a newer version on the network.
    environment = os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    command = [pulumi, "version"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip()
