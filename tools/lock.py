"""Compiles the Python requirements (`*.in`) to lock files with hashes: `make lock`.

pip installs the lock files with --require-hashes, so it refuses a package that was replaced at the index. A lock file
is valid on Linux and macOS and for all Python versions from 3.11: it contains the hashes of all files of a version.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.cache import executable
from tools.program import HERE

CHECKOUT = HERE.parent
OLDEST_PYTHON = "3.11"
POLICY_CONSTRAINTS = "policy/constraints.txt"


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A lock file. All paths are relative to the checkout."""

    source: str
    constraint: str | None = None
    """A file with the versions that packages in both files have: another lock file, or the constraints below."""

    @property
    def file(self) -> str:
        return str(Path(self.source).with_suffix(".txt"))


LOCKS = (
    # Compiled first, because it contains the program's own requirements and is the constraint of their lock file.
    Lock(source="requirements-dev.in"),
    # Used by Pulumi's language host and by `pulumi install`.
    Lock(source="requirements.in", constraint="requirements-dev.txt"),
    Lock(source="policy/requirements.in", constraint=POLICY_CONSTRAINTS),
)
OLDER_IN_POLICY = ("googleapis-common-protos", "protobuf")
"""Packages of which pulumi-policy needs an older version than the program."""


def policy_constraints(lock_file: str) -> str:
    """The constraints of the policy pack: the versions of a lock file, except for the packages that must be older."""
    pins = re.findall(r"^([\w.-]+)(==[^\\\n]+?) \\$", lock_file, re.M)
    lines = [name + version for name, version in pins if name not in OLDER_IN_POLICY]
    return "\n".join(["# Written by `make lock` from requirements-dev.txt.", *lines, ""])


def command(uv: Path, lock: Lock, *, upgrade: bool) -> Sequence[str]:
    """The command that writes a lock file. Versions in an existing file stay unless `upgrade` is set.

    uv writes the command into the file's header. Renovate reads it there and runs the same command. Renovate accepts
    only some options, and only with an equals sign.
    """
    return [
        str(uv),
        *("pip", "compile", "--quiet", "--universal", f"--python-version={OLDEST_PYTHON}", "--generate-hashes"),
        *(["--upgrade"] if upgrade else []),
        *([f"--constraint={lock.constraint}"] if lock.constraint else []),
        f"--output-file={lock.file}",
        lock.source,
    ]


def main(arguments: Sequence[str]) -> int:
    """Writes all lock files. Returns the exit code of uv."""
    uv = executable("uv")
    for lock in LOCKS:
        if lock.constraint == POLICY_CONSTRAINTS:
            pins = (CHECKOUT / "requirements-dev.txt").read_text()
            (CHECKOUT / POLICY_CONSTRAINTS).write_text(policy_constraints(pins))
        result = subprocess.run(command(uv, lock, upgrade="--upgrade" in arguments), cwd=CHECKOUT, check=False)
        if result.returncode != 0:
            print(f"cannot write {lock.file}: see the message of uv above", file=sys.stderr)
            return result.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
