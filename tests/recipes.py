"""The diffs that docs/architecture.md shows, and checkouts in which one has been applied."""

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECIPES = dict(
    zip(
        ("a node", "a host name", "a service", "a cluster"),
        re.findall(r"```diff\n(.*?)```", (ROOT / "docs/architecture.md").read_text(), re.S),
        strict=True,
    )
)
PROGRAM = ("*.py", "*.yaml", "infra/**/*")


def applied(recipe: str, folder: Path, *, also: tuple[str, ...] = ()) -> Path:
    """A copy of the program, and of what else is named, with that recipe in it."""
    for file in (file for pattern in (*PROGRAM, *also) for file in ROOT.glob(pattern) if file.is_file()):
        copy = folder / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    subprocess.run(["git", "apply", "-"], cwd=folder, input=RECIPES[recipe], text=True, check=True)  # noqa: S607  # git is a prerequisite
    return folder
