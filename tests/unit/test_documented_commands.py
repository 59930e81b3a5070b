"""No page tells the operator to apply changes with the engine's own command, which no guard rail checks."""

import re
from pathlib import Path

import pytest

from tests.recipes import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
OTHERS = [ROOT / "Makefile", *sorted(ROOT.glob(".gitea/workflows/*.yaml"))]
UNGUARDED = re.compile(r"^\s*(@?\S*/)?pulumi (up|update|destroy)\b")
TOLD = re.compile(r"\b(run|[Cc]ontinue with|one|the same) `pulumi (up|destroy)\b")


def commands(page: Path) -> list[str]:
    """The lines of the page's blocks of code. The output of a rehearsal is none: it names the command in a heading."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```$", page.read_text(), re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if "──" not in line]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_applies_changes_with_make(page: Path) -> None:
    assert [line for line in commands(page) if UNGUARDED.match(line)] == []
    assert TOLD.search(page.read_text()) is None


@pytest.mark.parametrize("file", OTHERS, ids=lambda file: str(file.relative_to(ROOT)))
def test_make_and_ci_apply_changes_with_ops(file: Path) -> None:
    assert [line for line in file.read_text().splitlines() if UNGUARDED.match(line.removeprefix("\t"))] == []


def test_messages_name_the_guarded_command() -> None:
    modules = [*ROOT.glob("infra/**/*.py"), *ROOT.glob("ops/**/*.py")]
    assert [str(module) for module in modules if re.search(r"run `pulumi up`", module.read_text())] == []
