"""Each command brings what it runs and nothing more; an operator with an official Pulumi needs no engine of ours, and no Go."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.recipes import ROOT
from tests.unit.stubs import alone_on_path, stand_in
from tools import build, official, programs
from tools.needs import Purpose

ENGINE = {"pulumi", "pulumi-language-python"}
REHEARSAL = ENGINE | {"pulumi-resource-kubernetes", "kubernetes", "etcd", "kwok", "crds"}
MAKE = shutil.which("make") or "make"
TOO_OLD = "is older than {pin}, which the program needs: upgrade it (https://www.pulumi.com/docs/install/); until then, the engine of this"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HONEYDUE_CACHE", str(tmp_path / "cache"))
    # Whatever Pulumi this machine has is not on PATH.
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "cache"


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """Where a stand-in for an official Pulumi, alone on PATH, writes what it is asked."""
    stand_in(
        tmp_path / "bin",
        "pulumi",
        f'[ "$1" = version ] && echo v99.0.0 || {{ echo "$*" >> {tmp_path}/asked; exit 3; }}',
    )
    stand_in(tmp_path / "bin", "pulumi-language-python", "")
    return tmp_path / "asked"


def names(*purposes: Purpose) -> set[str]:
    return {program.name for program in build.needed(*purposes)}


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [
        (Purpose.OPERATE, ENGINE),
        (Purpose.REHEARSAL, REHEARSAL),
        (Purpose.NODES, REHEARSAL | {"traefik", "kubelet", "kube-router", "coredns", "goose", "stand-ins"}),
        (Purpose.REHEARSAL_TESTS, REHEARSAL | {"traefik", "versitygw"}),
        (Purpose.MANIFESTS, {"kube-score", "pod-security", "network-policies"}),
        (Purpose.DIAGRAM, {"d2"}),
        (Purpose.WORKFLOWS, {"actionlint"}),
        (Purpose.LOCK, {"uv"}),
    ],
)
def test_each_purpose_has_its_programs(purpose: Purpose, expected: set[str]) -> None:
    assert names(purpose) == expected


def test_a_rehearsal_is_what_is_meant_without_a_purpose() -> None:
    assert names() == REHEARSAL


def test_every_program_is_there_for_something() -> None:
    assert names(*Purpose) == {program.name for program in programs.PROGRAMS}


def test_make_test_brings_at_once_what_its_parts_need() -> None:
    assert names(Purpose.TESTS) == names(Purpose.REHEARSAL_TESTS, Purpose.MANIFESTS, Purpose.DIAGRAM, Purpose.WORKFLOWS)


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ("rehearse", []),  # it brings them itself, as its first step
        ("workflows", ["workflows"]),
        ("manifests", ["manifests diagram"]),
        ("rehearsal-tests", ["rehearsal-tests"]),
        ("lock", ["lock"]),
        ("tools", ["tests"]),
        ("tools NODES=real", ["tests nodes"]),
        # All of it in one go, after the checks that take seconds; the others then find nothing to do.
        (
            "test real",
            [
                "tests nodes",
                "manifests diagram",
                "workflows",
                "manifests diagram workflows",
                "rehearsal-tests",
                "nodes manifests",
            ],
        ),
    ],
)
def test_a_target_brings_what_it_runs(targets: str, expected: list[str]) -> None:
    done = make("--dry-run", *targets.split())
    commands = done.stdout.splitlines()
    assert [command.split("tools.build ")[1].strip() for command in commands if "tools.build" in command] == expected
    quick = [
        command for command in commands if "ruff" in command or "mypy" in command or "pytest tests/unit" in command
    ]
    assert quick == commands[: len(quick)]


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    # -o: the virtual environments count as up to date.
    # Run by make itself, it would print the folders that it enters.
    command = [MAKE, "--no-print-directory", "-o", ".venv/ready", "-o", "policy/.venv/ready", *arguments]
    return subprocess.run(command, cwd=folder, env=os.environ, capture_output=True, text=True, check=False)


def test_a_preview_takes_the_cli_on_path_and_no_go(asked: Path, cache: Path) -> None:
    assert shutil.which("go") is None
    make("preview")
    assert asked.read_text().startswith("preview --stack prod ")
    assert not cache.exists()


OPS = "import subprocess, sys; sys.exit(subprocess.run(['pulumi', *sys.argv[1:]]).returncode)"
COMMANDS: Mapping[str, str] = {
    "preview": "preview --stack prod",
    "up": "up --stack prod",
    "release API=1": "release --stack prod --api 1",
    "drift": "drift --stack prod",
    "adopt": "adopt --stack prod",
    "outputs": "stack output --stack prod",
}


@pytest.mark.parametrize("target", COMMANDS)
def test_every_command_of_an_operator_takes_the_cli_on_path_and_no_go(
    target: str, asked: Path, cache: Path, tmp_path: Path
) -> None:
    # A checkout whose own commands only tell Pulumi what they are: what they do besides is tested elsewhere.
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops" / "__main__.py").write_text(OPS)
    for name in ("Makefile", "tools", "requirements.txt", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = make(*target.split(), folder=tmp_path)
    assert asked.read_text() == f"{COMMANDS[target]}\n"
    assert done.returncode != 0  # as the stand-in ended
    assert not cache.exists()


@pytest.mark.parametrize(("version", "needed"), [("v99.0.0", False), ("v3.1.0", True), ("dev", True), ("", True)])
def test_an_official_pulumi_new_enough_replaces_ours(version: str, needed: bool, tmp_path: Path) -> None:
    stand_in(tmp_path / "bin", "pulumi", f"echo {version}")
    stand_in(tmp_path / "bin", "pulumi-language-python", "")
    assert ENGINE.isdisjoint(names(Purpose.REHEARSAL)) is not needed
    assert names(Purpose.REHEARSAL) >= REHEARSAL - ENGINE
    assert bool(official.notice()) is needed


def test_one_that_is_too_old_is_named_with_what_to_do(tmp_path: Path) -> None:
    stand_in(tmp_path / "bin", "pulumi", "echo v3.1.0")
    stand_in(tmp_path / "bin", "pulumi-language-python", "")
    pin = programs.PULUMI.tag.removeprefix("v")
    assert official.notice().startswith(f"pulumi 3.1.0 at {tmp_path}/bin/pulumi {TOO_OLD.format(pin=pin)}")


def test_one_without_its_language_host_is_named(tmp_path: Path) -> None:
    stand_in(tmp_path / "bin", "pulumi", "echo v99.0.0")
    assert "has no pulumi-language-python on PATH: install the whole release" in official.notice()


def test_ours_is_not_taken_for_an_official_one(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.mkdir()
    stand_in(cache / "pulumi", "pulumi", "echo v99.0.0")
    alone_on_path(monkeypatch, cache / "pulumi")
    assert official.official() is None
