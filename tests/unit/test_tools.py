"""Building the pinned programs: each way it can fail is one clear line, and nothing half-built is ever used."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from tests.unit.stubs import alone_on_path, stand_in
from tools import build, program, programs, source
from tools.program import BuildError, Program

ETCD = programs.named("etcd")
FAILS = '[ "$1" = env ] && echo go1.26.0 || { echo "%s" >&2; exit 1; }'


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("HONEYDUE_CACHE", str(folder))
    # No vendor is asked.
    monkeypatch.setenv("HONEYDUE_TOOLS", "build")
    return folder


def said_by(*chosen: Program) -> str:
    """What a build of these programs ends with."""
    with pytest.raises(BuildError) as error:
        build.build_missing(Console(file=io.StringIO()), chosen or (ETCD,))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_without_go_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone_on_path(monkeypatch, tmp_path)
    assert said_by() == "no Go found on PATH; what is built from source needs Go ≥ 1.26: https://go.dev/dl/"
    assert not programs.installed(ETCD).exists()


def test_a_go_too_old_is_named_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path / "bin", "go", "echo go1.24.3")
    alone_on_path(monkeypatch, tmp_path / "bin")
    assert f"Go 1.24.3 at {tmp_path}/bin/go is too old; Go ≥ 1.26 is needed" in said_by()


def test_a_module_proxy_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROXY", "http://127.0.0.1:1")
    assert said_by().startswith(
        "etcd was not built: the Go module proxy could not be reached: check the network, or GOPROXY"
    )
    assert not programs.installed(ETCD).exists()


def test_a_source_that_is_not_the_reviewed_one_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path / "bin", "go", FAILS % "verifying x@v1: checksum mismatch")
    alone_on_path(monkeypatch, tmp_path / "bin")
    assert "does not match go.sum" in said_by()


def test_a_full_disk_is_said_before_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path / "bin", "go", FAILS % "it was started")
    alone_on_path(monkeypatch, tmp_path / "bin")
    monkeypatch.setattr(source, "GB_A_MINUTE", 1e9)
    assert "set HONEYDUE_CACHE to a folder on a larger disk" in said_by()


def test_a_disk_that_fills_up_on_the_way_is_said_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path / "bin", "go", FAILS % "write x: no space left on device")
    alone_on_path(monkeypatch, tmp_path / "bin")
    assert "etcd was not built: the disk is full" in said_by()


def test_an_interrupted_build_leaves_nothing_that_looks_finished(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leftover = cache / ".building-of-an-earlier-run"
    leftover.mkdir()
    stand_in(tmp_path / "bin", "go", FAILS % "interrupted")
    alone_on_path(monkeypatch, tmp_path / "bin")
    said_by()
    assert not list(cache.glob(".building-*"))
    assert not programs.installed(ETCD).exists()


def test_a_finished_build_is_used_again_without_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.installed(ETCD).mkdir()
    alone_on_path(monkeypatch, tmp_path)
    words = io.StringIO()
    build.build_missing(Console(file=words), (ETCD,))
    assert words.getvalue() == ""


BUILDS = """
case "$1" in
env) echo go1.26.0 ;;
list) echo "main honeydue.example/main"; echo "x honeydue.example/x" ;;
build)
    [ "$(cat go.mod)" = "$FAILS" ] && { echo "honeydue.example/x: cannot be compiled" >&2; exit 1; }
    while [ "$1" != -o ]; do shift; done
    echo honeydue.example/x >&2
    echo honeydue.example/main >&2
    echo built > "$2program" ;;
esac
"""


def modules(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> tuple[Program, ...]:
    """Programs whose modules are nearly empty, and a stand-in for Go that builds them in no time."""
    monkeypatch.setattr(program, "HERE", folder)
    stand_in(folder / "bin", "go", BUILDS)
    alone_on_path(monkeypatch, folder / "bin")
    for name in names:
        (folder / name).mkdir()
        (folder / name / "go.mod").write_text(f"require example.com/{name} v1.0.0")
    return tuple(Program(name=name, minutes=1, module=f"example.com/{name}") for name in names)


def test_each_program_is_told_of_with_the_minutes_that_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = modules(tmp_path, monkeypatch, "one", "two", "three")
    words = io.StringIO()
    build.build_missing(Console(file=words, width=200), chosen)
    lines = words.getvalue().splitlines()
    assert lines[0].startswith("Bringing 3 programs, once: 3 from source; kept in ")
    assert sorted(line.strip() for line in lines if "building" in line) == [
        "building one v1.0.0",
        "building three v1.0.0",
        "building two v1.0.0",
    ]
    assert [line.split(" is ready, ")[1].split(",")[0] for line in lines if "ready" in line] == [
        "1 of 3",
        "2 of 3",
        "3 of 3",
    ]
    assert "\r" not in words.getvalue()
    assert "\x1b" not in words.getvalue()
    assert all((programs.installed(one) / "program").exists() for one in chosen)


def test_what_was_finished_before_a_failure_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = modules(tmp_path, monkeypatch, "one", "two")
    build.build_missing(Console(file=io.StringIO()), [first])
    monkeypatch.setenv("FAILS", "require example.com/two v1.0.0")
    assert said_by(first, second).startswith(
        "two was not built: honeydue.example/x: cannot be compiled (go's own words: "
    )
    assert (programs.installed(first) / "program").exists()


OVERLAPS = """
case "$1" in
env) echo go1.26.0 ;;
list) echo "main honeydue.example/main"; echo "x honeydue.example/x" ;;
build)
    echo honeydue.example/x >&2
    if mkdir "$SHARED/first"; then
        # It compiles, and gives the other one time to begin too early.
        timeout 0.3 sh -c 'until [ -e "$SHARED/began" ]; do :; done' && exit 1
        echo honeydue.example/main >&2
        # It is linked, which ends when the other one has begun to compile.
        timeout 10 cat "$SHARED/second" || exit 1
    else
        touch "$SHARED/began"
        echo > "$SHARED/second"
    fi
    while [ "$1" != -o ]; do shift; done
    echo built > "$2program" ;;
esac
"""


def test_one_program_compiles_while_another_is_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = modules(tmp_path, monkeypatch, "one", "two")
    stand_in(tmp_path / "bin", "go", OVERLAPS)
    (tmp_path / "shared").mkdir()
    os.mkfifo(tmp_path / "shared" / "second")
    monkeypatch.setenv("SHARED", str(tmp_path / "shared"))
    build.build_missing(Console(file=io.StringIO()), chosen)
    assert all((programs.installed(one) / "program").exists() for one in chosen)


HOLDER = """
import fcntl, signal, sys
signal.alarm(10)  # whatever becomes of the test
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_run_waits_for_another_one_that_fills_the_cache(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = modules(tmp_path, monkeypatch, "one")
    said: list[str] = []
    command = [sys.executable, "-c", HOLDER, str(cache / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        end = other.stdin.close

        class UntilTold(io.StringIO):
            def write(self, words: str) -> int:
                if "Waiting" in words:
                    end()
                said.append(words)
                return len(words)

        build.build_missing(Console(file=UntilTold(), width=200), [one])
    assert said[0].startswith(f"Waiting for another run that fills {cache}")
    assert programs.installed(one).is_dir()


def test_a_changed_sum_is_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ETCD.key
    shutil.copytree(ETCD.folder, tmp_path / ETCD.folder.name)
    monkeypatch.setattr(program, "HERE", tmp_path)
    assert ETCD.key == before
    with (tmp_path / ETCD.folder.name / "go.sum").open("a") as sums:
        sums.write("x v1.0.0 h1:x=\n")
    assert ETCD.key != before


def test_the_providers_release_is_that_of_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = programs.named("pulumi-resource-kubernetes")
    before = provider.key
    (tmp_path / "requirements.txt").write_text("pulumi-kubernetes==9.9.9\n")
    monkeypatch.setattr(program, "REQUIREMENTS", tmp_path / "requirements.txt")
    assert "version.Version=9.9.9" in provider.ldflags
    assert provider.key != before


def test_an_unknown_way_to_bring_them_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HONEYDUE_TOOLS", "relase")
    assert said_by().startswith("HONEYDUE_TOOLS is 'relase': expected auto (")


def test_a_machine_for_which_there_are_no_programs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.program.platform.system", lambda: "Windows")
    monkeypatch.setattr("tools.program.platform.machine", lambda: "AMD64")
    assert said_by().startswith(
        "this machine is Windows on AMD64: the programs are for Linux and macOS on x86-64 and arm64"
    )
