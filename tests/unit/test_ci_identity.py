"""The credentials of a CI job, written into the settings of its checkout."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from rehearsal.layout import CHECKOUT

PULUMI = """#!/bin/sh
echo "$*" >> asked
cat >> given
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


def test_each_secret_goes_by_stdin_and_nowhere_else(tmp_path: Path) -> None:
    done = set_credentials(tmp_path, "kubeconfig hetznerToken", kubeconfig="the-kubeconfig", hetznerToken="the-token")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "asked").read_text().splitlines() == [
        "config set --secret honeydue:kubeconfig --stack prod --non-interactive",
        "config set --secret honeydue:hetznerToken --stack prod --non-interactive",
    ]
    assert (tmp_path / "given").read_text().split() == ["the-kubeconfig", "the-token"]
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize("given", [{}, {"kubeconfig": ""}], ids=["not passed on", "not in Gitea"])
def test_a_secret_that_is_not_there_stops_the_job(tmp_path: Path, given: Mapping[str, str]) -> None:
    done = set_credentials(tmp_path, "kubeconfig", **given)
    assert done.returncode == 1
    assert done.stderr.startswith("kubeconfig is empty: create the repository secrets of this job (docs/ci.md")
    assert not (tmp_path / "asked").exists()
