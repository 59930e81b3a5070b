"""The program of the image honeydue-backup, with programs that fail, wait or answer as the test wants."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from images.backup import database, pipeline
from images.backup.database import check_client, major_version_of_client, wait_until_awake
from images.backup.errors import BackupError
from images.backup.manifest import Contents, Manifest
from images.backup.pipeline import Pipeline
from images.backup.store import Store
from tests.recipes import ROOT

MANIFEST = Manifest(
    schema_version=2,
    tables={"public.tasks": 3, "public.jobs": 0},
    extensions={"plpgsql": "1.0"},
    postgres_version="17.2",
    client_version=18,
    bytes=10,
    sha256="00",
    started="2026-01-01T02:30:00+00:00",
    seconds=1.5,
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is first on PATH."""
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))
    return tmp_path


def script(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def shell(text: str) -> list[str]:
    return ["sh", "-c", text]


def test_a_pipeline_measures_what_the_last_program_receives(tmp_path: Path) -> None:
    result = Pipeline([shell("printf abc"), ["cat"], shell(f"cat > {tmp_path}/out")]).run()
    assert (tmp_path / "out").read_text() == "abc"
    assert result.bytes == 3
    assert result.sha256.startswith("ba7816bf")


@pytest.mark.parametrize("failing", [0, 1])
def test_the_last_program_never_sees_the_end_of_a_partial_input(tmp_path: Path, failing: int) -> None:
    """A shell's pipe would end its input, and rclone would complete the upload."""
    commands = [shell("printf abc"), ["cat"], shell(f"cat > /dev/null; touch {tmp_path}/complete")]
    # The output ends before the program does, as with a program that crashes while it writes.
    fail = "printf abc; exec >&-; sleep 0.5; exit 3"
    commands[failing] = shell(f"cat > /dev/null; {fail}" if failing else fail)
    with pytest.raises(BackupError, match="sh ended with exit code 3"):
        Pipeline(commands).run()
    assert not (tmp_path / "complete").exists()


def test_the_programs_have_ended_when_the_failure_is_reported(tmp_path: Path) -> None:
    """In a container, the kernel kills them with process 1: rclone would not abort its upload."""
    aborted = tmp_path / "aborted"
    last = f"trap 'sleep 0.5; touch {aborted}; exit 1' TERM; while :; do sleep 0.05; done"
    with pytest.raises(BackupError, match="sh ended with exit code 3"):
        Pipeline([shell("sleep 0.5; exit 3"), ["cat"], shell(last)]).run()
    assert aborted.exists()


def test_no_program_gets_a_second_signal_while_it_aborts(tmp_path: Path) -> None:
    """It would kill rclone, whose upload would remain unfinished."""
    signals = tmp_path / "signals"
    last = f"trap 'echo signal >> {signals}' TERM; for _ in $(seq 40); do sleep 0.05; done; exit 1"
    slow = "trap 'sleep 0.5; exit 1' TERM; while :; do sleep 0.05; done"
    with pytest.raises(BackupError, match="sh ended with exit code 3"):
        Pipeline([shell("sleep 0.5; exit 3"), shell(slow), shell(last)]).run()
    assert signals.read_text() == "signal\n"


def test_the_failure_of_the_last_program_ends_the_others() -> None:
    with pytest.raises(BackupError, match="sh ended with exit code 4"):
        Pipeline([["yes"], ["cat"], shell("exit 4")]).run()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_between_two_programs_ends_all_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """Otherwise, the last one would wait for its input until the deadline of the Job."""
    copy_all, finished = pipeline._copy_all, tmp_path / "finished"

    def fail(source: IO[bytes], target: IO[bytes], measure: Callable[[bytes], None] | None) -> None:
        if bool(measure) == bool(failing):
            raise OSError(errno.EIO, "Input/output error")
        copy_all(source, target, measure)

    monkeypatch.setattr(pipeline, "_copy_all", fail)
    commands = [["yes"], ["cat"], shell(f"exec > /dev/null; sleep 5; touch {finished}")]
    copied = f"could not copy the output of {commands[failing][0]} to {commands[failing + 1][0]}"
    with pytest.raises(BackupError, match=rf"{copied}: OSError: \[Errno 5\] Input/output error"):
        Pipeline(commands).run()
    assert not finished.exists()


def test_a_failure_after_all_input_is_noticed() -> None:
    with pytest.raises(BackupError, match="sh ended with exit code 5"):
        Pipeline([shell("printf abc"), shell("cat > /dev/null; exit 5")]).run()


@pytest.mark.parametrize(
    ("output", "version"),
    [("pg_dump (PostgreSQL) 18.1 (Debian 18.1-1.pgdg13+2)", 18), ("pg_dump (PostgreSQL) 15.20", 15)],
)
def test_the_version_of_a_client(path: Path, output: str, version: int) -> None:
    script(path, "pg_dump", f"echo '{output}'")
    assert major_version_of_client() == version


def test_a_newer_server_is_refused() -> None:
    check_client(18, 18)
    check_client(18, 17)
    with pytest.raises(BackupError, match="the server runs PostgreSQL 18, but this image has pg_dump 17"):
        check_client(17, 18)


def test_a_sleeping_server_is_tried_again(path: Path) -> None:
    attempts = path / "attempts"
    script(path, "psql", f'echo >> {attempts}; [ "$(wc -l < {attempts})" -ge 3 ] || {{ echo refused >&2; exit 2; }}')
    wait_until_awake([0, 0, 0])
    assert len(attempts.read_text().splitlines()) == 3


def test_the_last_error_of_a_server_that_does_not_wake_is_reported(path: Path) -> None:
    script(path, "psql", "echo connection refused >&2; exit 2")
    with pytest.raises(BackupError, match="cannot connect to the database: connection refused"):
        wait_until_awake([0, 0])


def test_a_wrong_password_is_not_tried_again(path: Path) -> None:
    attempts = path / "attempts"
    script(path, "psql", f"echo >> {attempts}; echo password authentication failed >&2; exit 2")
    with pytest.raises(BackupError, match="authentication failed"):
        wait_until_awake([0, 0])
    assert len(attempts.read_text().splitlines()) == 1


def test_a_pooler_is_recognized_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "shares_sessions", lambda: False)
    monkeypatch.setenv("PGHOST", "ep-a-pooler.example.com")
    with pytest.raises(BackupError, match=r"ep-a-pooler\.example\.com is a pooler"):
        database.refuse_pooler()
    monkeypatch.setenv("PGHOST", "ep-a.example.com")
    database.refuse_pooler()


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert '"schemaVersion": 2' in MANIFEST.text()
    assert Manifest.parse(MANIFEST.text()) == MANIFEST


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schemaVersion": 1'])
def test_an_unreadable_manifest_is_an_error(text: str) -> None:
    with pytest.raises(BackupError, match="the manifest cannot be read"):
        Manifest.parse(text)


def test_every_difference_is_named() -> None:
    restored = Contents(schema_version=1, tables={"public.tasks": 2, "public.new": 1})
    assert list(MANIFEST.differences(restored)) == [
        "schema version 1, 2 was expected",
        "table public.jobs is missing",
        "table public.new is not in the manifest",
        "table public.tasks has 2 rows, 3 were expected",
    ]
    assert list(MANIFEST.differences(MANIFEST)) == []


def test_only_a_dump_with_a_manifest_is_complete(path: Path) -> None:
    names = ["20260101T023000Z.dump.age", "20260101T023000Z.manifest.json", "20260102T023000Z.dump.age"]
    listed = ",".join(f'{{"Name":"{name}","Size":7,"IsDir":false}}' for name in names)
    script(path, "rclone", f"echo '[{listed}]'")
    store = Store(bucket="b", endpoint="s3.example.com", region="r")
    assert [(backup.time, backup.complete) for backup in store.backups()] == [
        ("20260101T023000Z", True),
        ("20260102T023000Z", False),
    ]
    last = store.last_complete()
    assert last is not None
    assert last.time == "20260101T023000Z"


def test_nothing_in_the_program_deletes_an_object() -> None:
    commands = ("deletefile", '"delete"', "purge", "cleanup", "moveto", '"sync"')
    for file in (ROOT / "images/backup").glob("*.py"):
        assert not [command for command in commands if command in file.read_text()], file.name


def test_the_image_contains_the_modules_of_the_program() -> None:
    recipe = (ROOT / "images/backup/Dockerfile").read_text()
    assert "COPY images/backup /usr/local/lib/honeydue/backup" in recipe
    for file in (ROOT / "images/backup").glob("*.py"):
        imports = [line for line in file.read_text().splitlines() if line.startswith(("from images", "import images"))]
        assert imports == [], f"{file.name}: the image contains the package as `backup`, so imports must be relative"
