"""Ordinary changes by an operator make no test fail."""

import subprocess
import sys
from pathlib import Path

from tests.use.checkout import changed_checkout

TESTS_WITHOUT_ENGINE = ("tests/unit", "tests/manifests", "tests/diagram", "tests/policy", "tests/workflows")


def test_the_tests_without_an_engine_pass_after_ordinary_changes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "--numprocesses=2", "--dist=loadfile", *TESTS_WITHOUT_ENGINE]
    completed = subprocess.run(
        command, cwd=changed_checkout(tmp_path / "checkout"), capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stdout
