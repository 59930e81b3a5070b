"""Builds from source: each failure is one line that says what to do, and an incomplete build is never used."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from tests.unit.stubs import restrict_path, write_stub
from tools import program, programs, source
from tools.cache import install_folder
from tools.errors import ToolsError
from tools.install import install_missing
from tools.program import Program

ETCD = programs.by_name("etcd")
FAILING_GO = '[ "$1" = env ] && echo go1.26.6 || { echo "%s" >&2; exit 1; }'


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("HONEYDUE_CACHE", str(folder))
    # No vendor's site is queried.
    monkeypatch.setenv("HONEYDUE_TOOLS", "build")
    return folder


def build_error(*selected: Program) -> str:
    """The message of the error that ends a build of these programs."""
    with pytest.raises(ToolsError) as error:
        install_missing(Console(file=io.StringIO()), selected or (ETCD,))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_missing_go_is_reported_with_the_version_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    restrict_path(monkeypatch, tmp_path)
    assert build_error() == "no Go compiler on PATH: install Go ≥ 1.26.6 from https://go.dev/dl/"
    assert not install_folder(ETCD).exists()


def test_an_old_go_is_reported_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_stub(tmp_path / "bin", "go", "echo go1.24.3")
    restrict_path(monkeypatch, tmp_path / "bin")
    assert f"Go 1.24.3 at {tmp_path}/bin/go is too old: install Go ≥ 1.26.6" in build_error()


def test_an_unreachable_module_proxy_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROXY", "http://127.0.0.1:1")
    assert build_error().startswith(
        "cannot build etcd: the Go module proxy is unreachable: check the network, or GOPROXY"
    )
    assert not install_folder(ETCD).exists()


def test_a_source_with_another_checksum_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_stub(tmp_path / "bin", "go", FAILING_GO % "verifying x@v1: checksum mismatch")
    restrict_path(monkeypatch, tmp_path / "bin")
    assert "does not match go.sum" in build_error()


def test_too_little_disk_space_is_reported_before_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_stub(tmp_path / "bin", "go", FAILING_GO % "the build started")
    restrict_path(monkeypatch, tmp_path / "bin")
    monkeypatch.setattr(source, "GB_PER_MINUTE", 1e9)
    assert "set HONEYDUE_CACHE to a folder on a larger disk" in build_error()


def test_a_disk_that_fills_up_during_the_build_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_stub(tmp_path / "bin", "go", FAILING_GO % "write x: no space left on device")
    restrict_path(monkeypatch, tmp_path / "bin")
    assert "cannot build etcd: the disk is full" in build_error()


def test_an_interrupted_build_leaves_no_folder_that_looks_complete(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leftover = cache / ".building-of-an-earlier-run"
    leftover.mkdir()
    write_stub(tmp_path / "bin", "go", FAILING_GO % "interrupted")
    restrict_path(monkeypatch, tmp_path / "bin")
    build_error()
    assert not list(cache.glob(".building-*"))
    assert not install_folder(ETCD).exists()


def test_an_installed_program_is_used_without_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_folder(ETCD).mkdir()
    restrict_path(monkeypatch, tmp_path)
    output = io.StringIO()
    install_missing(Console(file=output), (ETCD,))
    assert output.getvalue() == ""


GO = """
case "$1" in
env) echo go1.26.6 ;;
list) echo "main honeydue.example/main"; echo "x honeydue.example/x" ;;
build)
    [ "$(cat go.mod)" = "$FAILS" ] && { echo "honeydue.example/x: cannot be compiled" >&2; exit 1; }
    while [ "$1" != -o ]; do shift; done
    echo honeydue.example/x >&2
    echo honeydue.example/main >&2
    echo built > "$2program" ;;
esac
"""


def minimal_programs(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> tuple[Program, ...]:
    """Programs whose Go modules are nearly empty, and a stub of Go that builds them at once."""
    monkeypatch.setattr(program, "HERE", folder)
    write_stub(folder / "bin", "go", GO)
    restrict_path(monkeypatch, folder / "bin")
    for name in names:
        (folder / name).mkdir()
        (folder / name / "go.mod").write_text(f"require example.com/{name} v1.0.0")
    return tuple(Program(name=name, build_minutes=1, module=f"example.com/{name}") for name in names)


def test_the_progress_names_each_program_and_the_remaining_minutes(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    selected = minimal_programs(tmp_path, monkeypatch, "alpha", "beta", "gamma")
    output = io.StringIO()
    install_missing(Console(file=output, width=300), selected)
    lines = output.getvalue().splitlines()
    assert lines[0] == f"Installing 3 programs into {cache}, once: 3 from source"
    assert sorted(line.strip() for line in lines if "building" in line) == [
        "building alpha v1.0.0",
        "building beta v1.0.0",
        "building gamma v1.0.0",
    ]
    assert [line.split(" is ready, ")[1].split(",")[0] for line in lines if "ready" in line] == [
        "1 of 3",
        "2 of 3",
        "3 of 3",
    ]
    assert "\r" not in output.getvalue()
    assert "\x1b" not in output.getvalue()
    assert all((install_folder(each) / "program").exists() for each in selected)


def test_programs_that_were_finished_before_a_failure_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alpha, beta = minimal_programs(tmp_path, monkeypatch, "alpha", "beta")
    install_missing(Console(file=io.StringIO()), [alpha])
    monkeypatch.setenv("FAILS", "require example.com/beta v1.0.0")
    assert build_error(alpha, beta).startswith(
        "cannot build beta: honeydue.example/x: cannot be compiled (output of go: "
    )
    assert (install_folder(alpha) / "program").exists()


GO_THAT_OVERLAPS = """
case "$1" in
env) echo go1.26.6 ;;
list) echo "main honeydue.example/main"; echo "x honeydue.example/x" ;;
build)
    echo honeydue.example/x >&2
    if mkdir "$SHARED/first"; then
        # The first build compiles. It fails if the second one starts to compile at the same time.
        timeout 0.3 sh -c 'until [ -e "$SHARED/started" ]; do :; done' && exit 1
        echo honeydue.example/main >&2
        # The first build links, until the second one has started to compile.
        timeout 10 cat "$SHARED/second" || exit 1
    else
        touch "$SHARED/started"
        echo > "$SHARED/second"
    fi
    while [ "$1" != -o ]; do shift; done
    echo built > "$2program" ;;
esac
"""


def test_one_program_is_compiled_while_another_is_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    selected = minimal_programs(tmp_path, monkeypatch, "alpha", "beta")
    write_stub(tmp_path / "bin", "go", GO_THAT_OVERLAPS)
    (tmp_path / "shared").mkdir()
    os.mkfifo(tmp_path / "shared" / "second")
    monkeypatch.setenv("SHARED", str(tmp_path / "shared"))
    install_missing(Console(file=io.StringIO()), selected)
    assert all((install_folder(each) / "program").exists() for each in selected)


LOCK_HOLDER = """
import fcntl, signal, sys
signal.alarm(10)  # ends this process if the test was killed
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


def test_an_installation_waits_for_another_one_with_the_same_cache(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (alpha,) = minimal_programs(tmp_path, monkeypatch, "alpha")
    output: list[str] = []
    command = [sys.executable, "-c", LOCK_HOLDER, str(cache / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        release_lock = holder.stdin.close

        class Output(io.StringIO):
            """Releases the lock when the installation reports that it waits."""

            def write(self, text: str) -> int:
                if "Waiting" in text:
                    release_lock()
                output.append(text)
                return len(text)

        install_missing(Console(file=Output(), width=200), [alpha])
    assert output[0].startswith(f"Waiting for another process that installs into {cache}")
    assert install_folder(alpha).is_dir()


def test_a_changed_go_sum_changes_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ETCD.key
    shutil.copytree(ETCD.folder, tmp_path / ETCD.folder.name)
    monkeypatch.setattr(program, "HERE", tmp_path)
    assert ETCD.key == before
    with (tmp_path / ETCD.folder.name / "go.sum").open("a") as sums:
        sums.write("x v1.0.0 h1:x=\n")
    assert ETCD.key != before


def test_the_kubernetes_provider_has_the_version_of_its_python_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = programs.by_name("pulumi-resource-kubernetes")
    before = provider.key
    (tmp_path / "requirements.txt").write_text("pulumi-kubernetes==9.9.9\n")
    monkeypatch.setattr(program, "REQUIREMENTS", tmp_path / "requirements.txt")
    assert "version.Version=9.9.9" in provider.ldflags
    assert provider.key != before


def test_an_unknown_origin_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HONEYDUE_TOOLS", "relase")
    assert build_error().startswith("HONEYDUE_TOOLS is 'relase': expected auto (")


def test_an_unsupported_platform_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.program.platform.system", lambda: "Windows")
    monkeypatch.setattr("tools.program.platform.machine", lambda: "AMD64")
    assert build_error().startswith(
        "this machine is Windows on AMD64: the programs support Linux and macOS on x86-64 and arm64"
    )
