"""Building the pinned programs: each way it can fail is one clear line, and nothing half-built is ever used."""

import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from tools import build, programs
from tools.programs import BuildError, Program

ETCD = programs.named("etcd")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("HONEYDUE_CACHE", str(folder))
    return folder


def stand_in(folder: Path, name: str, script: str) -> None:
    """A program of that name, first and alone on PATH."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def alone_on_path(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def said_by(monkeypatch: pytest.MonkeyPatch, programs: tuple[Program, ...] = (ETCD,)) -> str:
    """What a build of these programs ends with."""
    monkeypatch.setattr(build, "needed", lambda: programs)
    with pytest.raises(BuildError) as error:
        build.build_missing(Console(file=io.StringIO()))
    return str(error.value)


def test_without_go_it_says_what_to_install(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone_on_path(monkeypatch, tmp_path)
    assert "no Go found on PATH" in said_by(monkeypatch)
    assert list(cache.iterdir()) == []


def test_a_go_too_old_is_named_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path / "bin", "go", "echo go1.24.3")
    alone_on_path(monkeypatch, tmp_path / "bin")
    assert f"Go 1.24.3 at {tmp_path}/bin/go is too old; Go ≥ 1.26 is needed" in said_by(monkeypatch)


def test_a_module_proxy_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROXY", "http://127.0.0.1:1")
    said = said_by(monkeypatch)
    assert said.startswith("etcd was not built: the Go module proxy could not be reached: check the network, or GOPROXY")
    assert "\n" not in said
    assert not programs.installed(ETCD).exists()


def test_a_source_that_is_not_the_reviewed_one_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path / "bin", "go", '[ "$1" = env ] && echo go1.26.0 || { echo "verifying x@v1: checksum mismatch" >&2; exit 1; }')
    alone_on_path(monkeypatch, tmp_path / "bin")
    assert "does not match go.sum" in said_by(monkeypatch)


def test_a_full_disk_is_said_before_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "FREE_GB_NEEDED", 10**9)
    assert "set HONEYDUE_CACHE to a folder on a larger disk" in said_by(monkeypatch)


def test_a_disk_that_fills_up_on_the_way_is_said_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path / "bin", "go", '[ "$1" = env ] && echo go1.26.0 || { echo "write x: no space left on device" >&2; exit 1; }')
    alone_on_path(monkeypatch, tmp_path / "bin")
    assert "etcd was not built: the disk is full" in said_by(monkeypatch)


def test_an_interrupted_build_leaves_nothing_that_looks_finished(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leftover = cache / ".building-of-an-earlier-run"
    leftover.mkdir()
    stand_in(tmp_path / "bin", "go", '[ "$1" = env ] && echo go1.26.0 || exit 1')
    alone_on_path(monkeypatch, tmp_path / "bin")
    said_by(monkeypatch)
    assert not leftover.exists()
    assert not list(cache.glob(".building-*"))
    assert not programs.installed(ETCD).exists()


def test_a_finished_build_is_used_again_without_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.installed(ETCD).mkdir()
    alone_on_path(monkeypatch, tmp_path)
    monkeypatch.setattr(build, "needed", lambda: (ETCD,))
    words = io.StringIO()
    build.build_missing(Console(file=words))
    assert words.getvalue() == ""


def test_a_changed_sum_is_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ETCD.key
    shutil.copytree(ETCD.folder, tmp_path / "etcd")
    monkeypatch.setattr(programs, "HERE", tmp_path)
    assert ETCD.key == before
    with (tmp_path / "etcd" / "go.sum").open("a") as sums:
        sums.write("x v1.0.0 h1:x=\n")
    assert ETCD.key != before


@pytest.mark.parametrize(("version", "built"), [("v99.0.0", False), ("v3.1.0", True), ("dev", True)])
def test_an_official_pulumi_new_enough_replaces_the_built_engine(
    version: str, built: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path / "bin", "pulumi", f"echo {version}")
    stand_in(tmp_path / "bin", "pulumi-language-python", "")
    alone_on_path(monkeypatch, tmp_path / "bin")
    assert [program in build.needed() for program in programs.ENGINE] == [built, built]
    assert all(program in build.needed() for program in programs.WORLD + programs.CHECKERS)
