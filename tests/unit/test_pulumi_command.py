"""`python -m ops pulumi` runs Pulumi, and removes the copies of the kubeconfig that its provider leaves behind."""

import os
import subprocess
import sys
from pathlib import Path

from tests.recipes import ROOT
from tests.unit.stubs import write_stub

PULUMI = """
umask 077
echo "the administrator's key" > "$(mktemp "$TMPDIR/kubeconfigXXXXXX")"
echo "$TMPDIR" "$@"
exit 7
"""


def run(folder: Path, *arguments: str, path: str, command: str = "pulumi") -> "subprocess.CompletedProcess[str]":
    temporary = folder / "temporary"
    temporary.mkdir(exist_ok=True)
    environment = {**os.environ, "PATH": path, "TMPDIR": str(temporary)}
    program = [sys.executable, "-m", "ops", command, *arguments]
    return subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_pulumi_gets_its_arguments_and_its_kubeconfig_is_removed(tmp_path: Path) -> None:
    write_stub(tmp_path / "bin", "pulumi", PULUMI)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    completed = run(tmp_path, "up", "--yes", "--replace", "**:Job::migrate", "--help", path=path)
    folder, *arguments = completed.stdout.split()
    assert (completed.returncode, arguments) == (7, ["up", "--yes", "--replace", "**:Job::migrate", "--help"])
    assert Path(folder).parent == tmp_path / "temporary"
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_missing_pulumi_is_one_line(tmp_path: Path) -> None:
    completed = run(tmp_path, "up", path=str(tmp_path))
    assert completed.returncode == 1
    assert completed.stderr == "Error: The pulumi command is not on PATH. Run it with `.venv/bin/python -m tools.run`\n"


def test_outputs_without_a_login_name_the_command(tmp_path: Path) -> None:
    write_stub(tmp_path / "bin", "pulumi", 'echo "error: PULUMI_ACCESS_TOKEN must be set for login" >&2; exit 1')
    completed = run(tmp_path, "--stack", "prod", path=str(tmp_path / "bin"), command="outputs")
    assert completed.returncode == 1
    assert completed.stderr == "Error: Pulumi is not logged in to the backend that stores the state: pulumi login\n"
