"""The program of dumps with real PostgreSQL, pgbouncer, age, rclone and versitygw, without a cluster.

Each test leaves the complete dump of the fixture as the only one that counts.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from rehearsal.external.backup_store import ROOT_KEY, ROOT_KEY_ID, BackupStore
from tests.real import backups, database
from tests.real.backup_program import FOLDER, USER, BackupProgram
from tests.retry import eventually
from tools.cache import executable

STORE = "127.0.77.12"
TABLES = """
CREATE TABLE tasks (id bigint PRIMARY KEY, title text);
INSERT INTO tasks SELECT g, md5(g::text) FROM generate_series(1, 20000) g;
CREATE TABLE "Odd ""name" (id int);
CREATE TABLE goose_db_version (id int, version_id bigint, is_applied bool);
INSERT INTO goose_db_version VALUES (1, 2, true), (2, 3, false);
"""
LARGE = "CREATE TABLE large AS SELECT g AS id, md5(random()::text) AS text FROM generate_series(1, 2000000) g"
"""More than two parts of a multipart upload."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackupProgram]:
    folder = tmp_path_factory.mktemp("backups")
    _, recipient = backups.identity(folder)
    installed = tmp_path_factory.mktemp("program")
    with database.running(folder) as source:
        source.query(TABLES)
        store = BackupStore(
            layout=source.layout,
            address=STORE,
            hostname="s3.example.com",
            region="us-east-005",
            bucket="honeydue-backups",
            keep=60,
            key_id="cluster",
            key="rehearsal-key-of-the-cluster",
        )
        store.start()
        result = BackupProgram(folder=installed, database=source, store=store, recipient=recipient)
        result.install()
        yield result


@pytest.fixture(scope="module")
def first(program: BackupProgram) -> str:
    """The time of a complete dump."""
    code, output = program.run("dump")
    assert code == 0, output
    assert "3 tables, 20002 rows" in output
    return output.splitlines()[-1].partition(":")[0]


@pytest.fixture(scope="module")
def identity(program: BackupProgram) -> Path:
    return program.database.layout.folder.parent / "age.key"


def complete(program: BackupProgram) -> set[str]:
    """The times of all dumps that count."""
    names = program.store.objects()
    times = {name.split(".", 1)[0] for name in names}
    return {time for time in times if {f"{time}.dump.age", f"{time}.manifest.json"} <= names.keys()}


def read(program: BackupProgram, name: str) -> bytes:
    response = program.store.client(ROOT_KEY_ID, ROOT_KEY).get_object(program.store.bucket, name)
    try:
        content: bytes = response.read()
        return content
    finally:
        response.close()
        response.release_conn()


def manifest(program: BackupProgram, time: str) -> bytes:
    return read(program, f"{time}.manifest.json")


def decrypted(program: BackupProgram, time: str, identity: Path) -> bytes:
    decrypt = [str(executable("age")), "--decrypt", "--identity", str(identity)]
    content = read(program, f"{time}.dump.age")
    return subprocess.run(decrypt, input=content, capture_output=True, check=True).stdout


def test_the_manifest_counts_the_rows_of_the_dump(program: BackupProgram, first: str) -> None:
    content = json.loads(manifest(program, first))
    assert content["tables"] == {"public.tasks": 20_000, 'public.Odd "name': 0, "public.goose_db_version": 2}
    assert content["schemaVersion"] == 2
    assert content["bytes"] == program.store.objects()[f"{first}.dump.age"]
    assert content["clientVersion"] == 15
    assert {"postgresVersion", "started", "seconds", "sha256", "extensions"} <= content.keys()


def test_the_dump_is_encrypted(program: BackupProgram, first: str) -> None:
    assert read(program, f"{first}.dump.age").startswith(b"age-encryption.org/v1\n")


def test_the_key_of_the_cluster_cannot_delete(program: BackupProgram, first: str) -> None:
    assert not program.store.may_delete(f"{first}.dump.age")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"PGHOST": database.POOLER}, f"{database.POOLER} is a pooler"),
        ({"PGDATABASE": "postgres"}, "database postgres has no rows"),
        ({"PGPASSWORD": "wrong"}, "password authentication failed"),
        ({"BACKUP_RECIPIENT": "age1wrong"}, "age ended with exit code 1"),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "SignatureDoesNotMatch"),
        ({"BACKUP_ENDPOINT": "127.0.77.13:443"}, "could not list the bucket"),
        ({"BACKUP_BUCKET": "another-bucket"}, "could not list the bucket"),
        ({"BACKUP_REGION": ""}, "BACKUP_REGION is not set"),
    ],
)
def test_a_wrong_setting_is_an_error_and_changes_nothing(
    program: BackupProgram, first: str, changes: Mapping[str, str], expected: str
) -> None:
    before = program.store.objects()
    code, output = program.run("dump", b"", **changes)
    assert code == 1
    assert expected in output
    assert "Traceback" not in output
    assert complete(program) == {first}
    assert program.store.objects() == before


def test_a_bucket_that_refuses_writes_is_an_error(program: BackupProgram, first: str) -> None:
    """As a bucket above its limit does. versitygw has no such limit."""
    program.store.set_rights(writable=False)
    try:
        code, output = program.run("dump")
    finally:
        program.store.set_rights(writable=True)
    assert code == 1
    assert "AccessDenied" in output
    assert "rclone ended with exit code" in output
    assert complete(program) == {first}


@contextmanager
def large_table(program: BackupProgram) -> Iterator[None]:
    program.database.query(LARGE)
    try:
        yield
    finally:
        program.database.query("DROP TABLE large")


def wait_for_pg_dump(program: BackupProgram) -> None:
    """Waits until pg_dump reads the large table and rclone has begun the upload that it must abort."""

    def reads() -> None:
        assert program.store.unfinished_uploads()
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump' AND query LIKE 'COPY%large%'"
        assert program.database.query(query) == "1"

    eventually(reads, seconds=60)


def test_a_dump_that_is_cut_in_the_middle_is_no_object(program: BackupProgram, first: str) -> None:
    before = program.store.objects()
    with large_table(program):
        process = program.start("dump")
        wait_for_pg_dump(program)
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg_dump'"
        program.database.query(end)
        output, _ = process.communicate()
    assert process.returncode == 1
    assert b"pg_dump ended with exit code 1" in output
    assert complete(program) == {first}
    assert program.store.objects() == before
    assert program.store.unfinished_uploads() == []


def test_a_dump_that_is_stopped_is_no_object(program: BackupProgram, first: str) -> None:
    """As by the deadline of its Job."""
    before = program.store.objects()
    with large_table(program):
        process = program.start("dump")
        wait_for_pg_dump(program)
        program.stop(process)
        process.communicate()
    assert process.returncode != 0
    assert complete(program) == {first}
    assert program.store.objects() == before
    assert program.store.unfinished_uploads() == []


def test_a_much_smaller_dump_does_not_count(program: BackupProgram, first: str) -> None:
    code, output = program.run("dump", BACKUP_MINIMUM_PERCENT="300")
    assert code == 1
    assert "less than 300 % of the last one" in output
    assert complete(program) == {first}


def test_a_wipe_is_undone_by_a_restore(program: BackupProgram, first: str, identity: Path) -> None:
    text = manifest(program, first)
    program.database.query("DROP SCHEMA public CASCADE")
    program.database.query("CREATE SCHEMA public")
    code, output = program.run("check", text)
    assert code == 1
    assert "table public.tasks is missing" in output
    assert program.run("check-target", text) == (0, "")
    dump = decrypted(program, first, identity)
    # A dump that ends early restores nothing.
    code, output = program.run("restore", dump[: len(dump) // 2])
    assert code == 1
    assert program.run("count") == (0, "0 0\n")
    assert program.run("restore", dump)[0] == 0
    assert program.run("check", text) == (0, "3 tables, 20002 rows, schema version 2\n")


def test_the_scratch_server_of_a_drill_has_the_dump_until_it_is_finished(
    program: BackupProgram, first: str, identity: Path
) -> None:
    scratch = program.folder / "scratch"
    scratch.mkdir()
    os.chown(scratch, USER, USER)
    # As in the pod of the drill (infra/backups/pods.py).
    drill = {"PGHOST": f"{FOLDER}/scratch", "PGUSER": "postgres", "PGDATABASE": "drill", "PGSSLMODE": "prefer"}
    server = program.start("serve", **drill)
    try:
        assert program.run("create", b"", **drill) == (0, "")
        text = manifest(program, first)
        assert program.run("check-target", text, **drill) == (0, "")
        dump = decrypted(program, first, identity)
        assert program.run("restore", dump, **drill)[0] == 0
        assert program.run("check", text, **drill) == (0, "3 tables, 20002 rows, schema version 2\n")
        assert program.run("finish", b"", **drill) == (0, "")
        output, _ = server.communicate(timeout=60)
        assert server.returncode == 0, output
    finally:
        if server.poll() is None:
            program.stop(server)
    assert [file.name for file in scratch.iterdir()] == ["finished"]


def test_a_server_that_lacks_an_extension_is_named(program: BackupProgram, first: str) -> None:
    content = json.loads(manifest(program, first))
    content["extensions"]["postgis"] = "3.5"
    code, output = program.run("check-target", json.dumps(content).encode())
    assert code == 1
    assert "the server lacks the extension postgis" in output


def test_a_dump_of_a_newer_client_is_refused_before_the_restore(program: BackupProgram, first: str) -> None:
    content = {**json.loads(manifest(program, first)), "clientVersion": 99}
    code, output = program.run("check-target", json.dumps(content).encode())
    assert code == 1
    assert "written by pg_dump 99, and pg_restore 15 cannot read it" in output
