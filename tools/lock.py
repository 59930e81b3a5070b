"""Compiles the Python requirements (`*.in`) to lock files with hashes: `make lock`.

pip installs the lock files with --require-hashes, so that a package that somebody replaced at the index is refused. A
lock file is for Linux and macOS, and for every Python from 3.11: it has the hashes of all files of a version.
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.program import HERE
from tools.programs import UV, installed

CHECKOUT = HERE.parent
OLDEST_PYTHON = "3.11"


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A lock file, in the checkout. `constraint` is another one, whose versions it shares."""

    source: str
    constraint: str | None = None

    @property
    def file(self) -> str:
        return str(Path(self.source).with_suffix(".txt"))


LOCKS = (
    # Contains the program's own requirements. A version that both need must fit both, so this one is compiled first.
    Lock(source="requirements-dev.in"),
    # What Pulumi's language host reads, and what `pulumi install` installs.
    Lock(source="requirements.in", constraint="requirements-dev.txt"),
    Lock(source="policy/requirements.in"),
)


def command(uv: Path, lock: Lock, *, upgrade: bool) -> Sequence[str]:
    """The command that writes a lock file. Versions in an existing file stay unless `upgrade` is set.

    uv writes the command into the file's header, where Renovate reads it to run the same one. Renovate accepts only some
    options, and only with an equals sign.
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
    uv = installed(UV) / UV.name
    for lock in LOCKS:
        completed = subprocess.run(command(uv, lock, upgrade="--upgrade" in arguments), cwd=CHECKOUT, check=False)
        if completed.returncode != 0:
            print(f"{lock.file} was not written: see the message of uv above", file=sys.stderr)
            return completed.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
