"""Changes of the settings and the program that the documentation describes make no test fail."""

import subprocess
import sys
from pathlib import Path

from tests.changed_checkout.checkout import changed_checkout

TESTS_WITHOUT_ENGINE = (
    "tests/unit",
    "tests/rules",
    "tests/manifests",
    "tests/diagram",
    "tests/policy",
    "tests/workflows",
)


def test_the_tests_without_an_engine_pass_in_a_changed_checkout(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "--numprocesses=2", "--dist=loadfile", *TESTS_WITHOUT_ENGINE]
    completed = subprocess.run(
        command, cwd=changed_checkout(tmp_path / "checkout"), capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stdout
