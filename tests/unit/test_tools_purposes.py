"""Each command installs only the programs that it runs. With an official Pulumi, an operator needs no Go."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.recipes import ROOT
from tests.unit.stubs import restrict_path, write_stub
from tools import official, programs
from tools.purposes import Purpose, required_programs

ENGINE = {"pulumi", "pulumi-language-python"}
MONITORING = {
    *("victoriametrics", "alertmanager", "node-exporter", "kube-state-metrics", "metrics-server", "mailpit"),
    "victorialogs",
    "jaeger",
}
REHEARSAL = ENGINE | {"pulumi-resource-kubernetes", "kubernetes", "etcd", "kwok", "crds"}
MAKE = shutil.which("make") or "make"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HONEYDUE_CACHE", str(tmp_path / "cache"))
    # Excludes the Pulumi CLI of this machine.
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "cache"


@pytest.fixture
def pulumi_arguments(tmp_path: Path) -> Path:
    """The file to which a stub of the official Pulumi CLI, alone on PATH, writes its arguments."""
    write_stub(
        tmp_path / "bin",
        "pulumi",
        f'[ "$1" = version ] && echo v99.0.0 || {{ echo "$*" >> {tmp_path}/arguments; exit 3; }}',
    )
    write_stub(tmp_path / "bin", "pulumi-language-python", "")
    return tmp_path / "arguments"


def names(*purposes: Purpose) -> set[str]:
    return {program.name for program in required_programs(*purposes)}


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [
        (Purpose.OPERATE, ENGINE),
        (Purpose.REHEARSAL, REHEARSAL),
        (
            Purpose.NODES,
            REHEARSAL
            | MONITORING
            | {"traefik", "kubelet", "kube-router", "api-proxy", "coredns", "goose", "stand-ins"}
            | {"age", "rclone", "versitygw", "distribution"},
        ),
        (Purpose.PLUGINS, REHEARSAL | {"pulumi-resource-hcloud", "pulumi-resource-cloudflare"}),
        (Purpose.REHEARSAL_TESTS, REHEARSAL | {"traefik", "versitygw", "distribution"}),
        (Purpose.MANIFESTS, {"kube-score", "pod-security", "network-policies"}),
        (Purpose.RULES, {"amtool", "vmalert-tool"}),
        (Purpose.DIAGRAM, {"d2"}),
        (Purpose.WORKER, {"miniflare"}),
        (Purpose.WORKFLOWS, {"actionlint"}),
        (Purpose.LOCK, {"uv"}),
        (Purpose.RESTORE, ENGINE | {"age", "rclone"}),
    ],
)
def test_each_purpose_has_its_programs(purpose: Purpose, expected: set[str]) -> None:
    assert names(purpose) == expected


def test_the_default_purpose_is_a_rehearsal() -> None:
    assert names() == REHEARSAL


def test_each_program_has_a_purpose() -> None:
    assert names(*Purpose) == {program.name for program in programs.PROGRAMS}


def test_make_test_installs_the_programs_of_all_its_parts() -> None:
    parts = (
        *(Purpose.REHEARSAL_TESTS, Purpose.MANIFESTS, Purpose.RULES, Purpose.DIAGRAM, Purpose.WORKFLOWS),
        Purpose.WORKER,
    )
    assert names(Purpose.TESTS) == names(*parts)


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ("rehearse", []),  # the rehearsal installs its programs as its first step
        ("workflows", ["workflows"]),
        ("rules", ["rules"]),
        ("worker", ["worker"]),
        ("manifests", ["manifests diagram"]),
        ("rehearsal-tests", ["rehearsal-tests"]),
        ("lock", ["lock"]),
        ("tools", ["tests"]),
        ("tools NODES=real", ["tests nodes"]),
        # The first installation, after the checks that take seconds, installs everything. The others do nothing.
        (
            "test real",
            [
                "tests nodes",
                "rules",
                "worker",
                "manifests diagram",
                "workflows",
                "rules manifests diagram workflows",
                "rehearsal-tests",
                "nodes manifests worker",
            ],
        ),
    ],
)
def test_a_target_installs_the_programs_that_it_runs(targets: str, expected: list[str]) -> None:
    result = make("--dry-run", *targets.split())
    commands = result.stdout.splitlines()
    installed = [command.split("tools.install ")[1].strip() for command in commands if "tools.install" in command]
    assert installed == expected
    checks = [
        command for command in commands if "ruff" in command or "mypy" in command or "pytest tests/unit" in command
    ]
    assert checks == commands[: len(checks)]


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    # -o treats the virtual environments as up to date.
    # --no-print-directory: if make itself runs this test, it prints the folders that it enters.
    command = [MAKE, "--no-print-directory", "-o", ".venv/ready", "-o", "policy/.venv/ready", *arguments]
    return subprocess.run(command, cwd=folder, env=os.environ, capture_output=True, text=True, check=False)


def test_a_preview_runs_the_cli_on_path_and_needs_no_go(pulumi_arguments: Path, cache: Path) -> None:
    assert shutil.which("go") is None
    make("preview")
    # Other commands read the settings at the same time.
    assert [line for line in pulumi_arguments.read_text().splitlines() if line.startswith("preview --stack prod ")]
    assert not cache.exists()


OPS = "import subprocess, sys; sys.exit(subprocess.run(['pulumi', *sys.argv[1:]]).returncode)"
COMMANDS: Mapping[str, str] = {
    "preview": "preview --stack prod",
    "up": "up --stack prod",
    "release API=1": "release --stack prod --api 1",
    "drift": "drift --stack prod",
    "adopt": "adopt --stack prod",
    "outputs": "outputs --stack prod",
}


@pytest.mark.parametrize("target", COMMANDS)
def test_each_operator_command_runs_the_cli_on_path_and_needs_no_go(
    target: str, pulumi_arguments: Path, cache: Path, tmp_path: Path
) -> None:
    # In this checkout, the ops commands only pass their arguments to Pulumi.
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops" / "__main__.py").write_text(OPS)
    for name in ("Makefile", "tools", "requirements.txt", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    result = make(*target.split(), folder=tmp_path)
    assert pulumi_arguments.read_text() == f"{COMMANDS[target]}\n"
    assert result.returncode != 0  # the stub exits with 3
    assert not cache.exists()


@pytest.mark.parametrize(("version", "replaced"), [("v99.0.0", True), ("v3.1.0", False), ("dev", False), ("", False)])
def test_an_official_pulumi_replaces_the_engine_if_it_is_new_enough(
    version: str, replaced: bool, tmp_path: Path
) -> None:
    write_stub(tmp_path / "bin", "pulumi", f"echo {version}")
    write_stub(tmp_path / "bin", "pulumi-language-python", "")
    assert ENGINE.isdisjoint(names(Purpose.REHEARSAL)) is replaced
    assert names(Purpose.REHEARSAL) >= REHEARSAL - ENGINE
    assert bool(official.notice()) is not replaced


def test_an_old_official_pulumi_is_reported_with_what_to_do(tmp_path: Path) -> None:
    write_stub(tmp_path / "bin", "pulumi", "echo v3.1.0")
    write_stub(tmp_path / "bin", "pulumi-language-python", "")
    pin = programs.PULUMI.tag.removeprefix("v")
    assert official.notice().startswith(
        f"pulumi 3.1.0 at {tmp_path}/bin/pulumi is older than {pin}: "
        "upgrade it (https://www.pulumi.com/docs/install/). This command uses the engine of this checkout"
    )


def test_an_official_pulumi_without_its_language_host_is_reported(tmp_path: Path) -> None:
    write_stub(tmp_path / "bin", "pulumi", "echo v99.0.0")
    assert "has no pulumi-language-python on PATH: install the whole release" in official.notice()


def test_the_engine_of_this_checkout_is_not_an_official_one(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.mkdir()
    write_stub(cache / "pulumi", "pulumi", "echo v99.0.0")
    restrict_path(monkeypatch, cache / "pulumi")
    assert official.on_path() is None
