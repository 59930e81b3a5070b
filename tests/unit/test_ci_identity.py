"""The script that writes the credentials of a CI job into the settings of its checkout."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from rehearsal.layout import CHECKOUT

PULUMI = """#!/bin/sh
echo "$*" >> calls
cat >> stdin
"""


def set_credentials(folder: Path, names: str, **secrets: str) -> subprocess.CompletedProcess[str]:
    (folder / "pulumi").write_text(PULUMI)
    (folder / "pulumi").chmod(0o755)
    environment = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "SETTINGS": names, **secrets}
    return subprocess.run(
        [CHECKOUT / ".gitea" / "set-credentials"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_secret_is_passed_only_by_stdin(tmp_path: Path) -> None:
    completed = set_credentials(
        tmp_path, "kubeconfig hetznerToken", kubeconfig="the-kubeconfig", hetznerToken="the-token"
    )
    assert completed.returncode == 0, completed.stderr
    assert (tmp_path / "calls").read_text().splitlines() == [
        "config set --secret honeydue:kubeconfig --stack prod --non-interactive",
        "config set --secret honeydue:hetznerToken --stack prod --non-interactive",
    ]
    assert (tmp_path / "stdin").read_text().split() == ["the-kubeconfig", "the-token"]
    assert completed.stdout + completed.stderr == ""


@pytest.mark.parametrize("secrets", [{}, {"kubeconfig": ""}], ids=["not passed on", "not in Gitea"])
def test_a_missing_secret_stops_the_job(tmp_path: Path, secrets: Mapping[str, str]) -> None:
    completed = set_credentials(tmp_path, "kubeconfig", **secrets)
    assert completed.returncode == 1
    assert completed.stderr.startswith("kubeconfig is empty: create the repository secrets of this job (docs/ci.md")
    assert not (tmp_path / "calls").exists()
