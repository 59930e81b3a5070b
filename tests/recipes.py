"""The recipes of docs/architecture.md (commands and diffs), and copies of the program to which they are applied."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.stackfile import set_value

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/architecture.md"
EXAMPLE = ROOT / "tests/example"
"""Symbolic links to the program, and the example settings: of the same shape as those of production, but fixed."""
SETTINGS = "Pulumi.prod.yaml"
PROGRAM = ("__main__.py", "Pulumi.yaml", "infra/**/*", f"{EXAMPLE.relative_to(ROOT)}/{SETTINGS}")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A section of the page: commands that change the settings, and a diff of the program. Both may be empty."""

    commands: Sequence[Sequence[str]]
    """The arguments of each command, without `pulumi config`."""
    diff: str

    def apply(self, checkout: Path) -> None:
        """Applies the recipe to a copy of the program.

        Changes the settings without the engine; tests/rehearsal/test_recipes.py compares them with `pulumi config`.
        """
        for command in self.commands:
            file, changes = _changes(command)
            for path, value in changes.items():
                set_value(checkout / file, path, value)
        if self.diff:
            apply_diff = ["git", "apply", "--unidiff-zero", "-"]
            subprocess.run(apply_diff, cwd=checkout, input=self.diff, text=True, check=True)


def recipe(name: str, *, instead: tuple[str, str] = ("", "")) -> Recipe:
    """The section with this heading. `instead` is a name of the section and the name to use in its place."""
    (section,) = re.findall(rf"^## {name}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.M | re.S)
    section = section.replace(*instead) if instead[0] else section
    blocks = {kind: "".join(re.findall(rf"```{kind}\n(.*?)```", section, re.S)) for kind in ("sh", "diff")}
    lines = [shlex.split(line) for line in blocks["sh"].replace("\\\n", " ").splitlines()]
    return Recipe(commands=[line[2:] for line in lines if line[:2] == ["pulumi", "config"]], diff=blocks["diff"])


def checkout(folder: Path) -> Path:
    """Copies the program with the example settings into a folder, and returns the folder."""
    for file in (file for pattern in PROGRAM for file in ROOT.glob(pattern) if file.is_file()):
        copy = folder / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    shutil.copy(EXAMPLE / SETTINGS, folder)
    return folder


def checkout_with(name: str, folder: Path) -> Path:
    """Copies the program with the example settings into a folder, and applies a recipe."""
    recipe(name).apply(checkout(folder))
    return folder


def _changes(command: Sequence[str]) -> tuple[str, Mapping[str, str | None]]:
    """The file that a `pulumi config` command changes, and the new values by path. None removes a value."""
    match command:
        case ["set", "--type", "string", "--path", path, value]:
            return SETTINGS, {path: value}
        case ["set", "--config-file", file, "--type", "string", "--path", path, value]:
            return file, {path: value}
        case ["set-all", "--path", *pairs] if set(pairs[::2]) == {"--plaintext"}:
            return SETTINGS, dict(pair.split("=", 1) for pair in pairs[1::2])
        case ["rm-all", "--path", *paths]:
            return SETTINGS, dict.fromkeys(paths)
    raise AssertionError(f"tests/recipes.py does not support `pulumi config {shlex.join(command)}`")
