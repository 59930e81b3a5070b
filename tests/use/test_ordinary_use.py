"""Nothing that an operator does every month makes a test fail."""

import subprocess
import sys
from pathlib import Path

from tests.use.checkout import used

WITHOUT_AN_ENGINE = ("tests/unit", "tests/manifests", "tests/diagram", "tests/policy", "tests/workflows")


def test_all_that_needs_no_engine_passes_after_ordinary_changes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "--numprocesses=2", "--dist=loadfile", *WITHOUT_AN_ENGINE]
    done = subprocess.run(command, cwd=used(tmp_path / "checkout"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
