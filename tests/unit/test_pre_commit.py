"""The hooks of pre-commit are the commands of `make lint`."""

import re

import yaml

from tests.recipes import ROOT


def lint_commands() -> list[str]:
    """The recipe of the target `lint`, with the variable that names the virtual environment expanded."""
    makefile = (ROOT / "Makefile").read_text()
    (environment,) = re.findall(r"^VENV := (.+)$", makefile, re.M)
    (recipe,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", makefile, re.M)
    return [line.strip().removeprefix("@").replace("$(VENV)", environment) for line in recipe.splitlines()]


def test_the_hooks_are_the_commands_of_make_lint() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in repository["hooks"]] == lint_commands()
    # With file names the linters would check these alone, and miss what a change breaks elsewhere.
    assert all(hook["pass_filenames"] is False for hook in repository["hooks"])
