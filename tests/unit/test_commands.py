"""The group of the commands in ops/: it reports their errors in one line."""

import re

import pytest
from click.testing import CliRunner

from ops.__main__ import cli
from ops.engine import command
from ops.errors import OpsError
from tests.recipes import ROOT


def test_an_error_is_one_line_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise OpsError("stack prod does not exist")

    monkeypatch.setattr(command, "output_of", fail)
    result = CliRunner().invoke(cli, ["outputs", "--stack", "prod"])
    assert (result.exit_code, result.output) == (1, "Error: stack prod does not exist\n")


def test_no_command_repeats_what_the_group_does() -> None:
    repeated = re.compile(r"except OpsError as error:\n +raise click\.ClickException\(str\(error\)\)")
    files = [str(file) for file in (ROOT / "ops").rglob("*.py") if repeated.search(file.read_text())]
    assert files == [str(ROOT / "ops/__main__.py")]
