"""docs/leaving-neon.md copies the database to another server, and loses no row while api continues to read."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path

import pytest

from infra.settings.database import Database
from rehearsal.errors import RehearsalError
from rehearsal.external.database import ExternalDatabase
from rehearsal.images.catalog import Schema, api
from tests.real import database, standins
from tests.real.standins import StandIn, goose, running
from tests.rehearsal.runbook import blocks
from tests.retry import eventually

API = api("registry.example/honeydue-api:first", Schema.FIRST)
NEW_POOLER, NEW_HOST = "127.0.77.12", "127.0.77.13"
ROWS = 100_000


def other_server() -> Database:
    """The settings of a server that is not Neon's, without a pooler."""
    former = database.settings().model_dump(by_alias=True, exclude={"pooler_host", "other_host", "other_direct_host"})
    return Database.model_validate({**former, "host": NEW_HOST, "privateCidr": "127.0.77.0/24"})


@pytest.fixture
def old(tmp_path: Path) -> Iterator[ExternalDatabase]:
    with database.running(tmp_path / "old") as running_database:
        yield running_database


@pytest.fixture
def new(tmp_path: Path) -> Iterator[ExternalDatabase]:
    with database.running(
        tmp_path / "new", database_settings=other_server(), pooler=NEW_POOLER, direct=NEW_HOST
    ) as running_database:
        yield running_database


@pytest.fixture
def variables(old: ExternalDatabase, new: ExternalDatabase, tmp_path: Path) -> Mapping[str, str]:
    """The environment of the operator, with PostgreSQL's clients on PATH."""
    programs = database.client_programs(tmp_path)
    return {
        "PATH": f"{programs}:/usr/sbin:/usr/bin:/sbin:/bin",
        "DATABASE": old.database.name,
        "ROLE": old.database.user,
        "OLD_HOST": old.direct,
        "OLD_PASSWORD": old.password,
        "NEW_HOST": new.direct,
        "NEW_PASSWORD": new.password,
    }


def run_section(heading: str, variables: Mapping[str, str], folder: Path) -> str:
    """Runs the only block of a section. Fails with its errors."""
    (block,) = blocks("leaving-neon.md", heading)
    completed = subprocess.run(
        ["/bin/sh", "-euc", block.text], env=variables, cwd=folder, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


def create(api_of: StandIn, title: str) -> int:
    return api_of.request("/api/tasks/", method="POST", body={"title": title})[0]


def titles(api_of: StandIn) -> list[str]:
    status, tasks = api_of.request("/api/tasks/")
    assert status == HTTPStatus.OK
    return [task["title"] for task in tasks][:3]


def test_the_database_moves_with_all_rows_while_api_reads(
    old: ExternalDatabase, new: ExternalDatabase, variables: Mapping[str, str], tmp_path: Path
) -> None:
    completed = goose(API, database.migration_environment(old), folder=tmp_path / "goose")
    assert completed.returncode == 0, completed.stderr
    old.query(f"INSERT INTO tasks (title) SELECT 'row ' || n FROM generate_series(1, {ROWS}) AS n")  # noqa: S608
    output = run_section("Try it", variables, tmp_path)
    assert [line.split("|")[0] for line in output.splitlines()] == ["old", "new"]
    assert new.query("SELECT count(*) FROM pg_database WHERE datname = 'leaving_neon_trial'") == "0"
    with standins.redis(tmp_path / "redis") as port:
        environment = standins.backend_environment(old, redis_port=port, key=tmp_path / "apns.key")
        with running(API, environment, folder=tmp_path) as before:
            assert create(before, "the last one at Neon") == HTTPStatus.CREATED
            started = time.monotonic()
            run_section("Copy the database", variables, tmp_path)
            assert create(before, "refused") == HTTPStatus.INTERNAL_SERVER_ERROR
            eventually(lambda: titles(before))
            assert titles(before)[0] == "the last one at Neon"
            with running(API, {**environment, "DB_HOST": new.direct}, folder=tmp_path) as after:
                assert create(after, "the first one elsewhere") == HTTPStatus.CREATED
                print(f"Without writes for {time.monotonic() - started:.1f} s with {ROWS} rows.")
                assert titles(after)[:2] == ["the first one elsewhere", "the last one at Neon"]
    assert new.query("SELECT count(*), max(id) FROM tasks") == f"{ROWS + 2}|{ROWS + 2}"
    assert new.query("SELECT max(version_id) FROM goose_db_version") == "1"


def test_neon_accepts_writes_again_after_going_back(
    old: ExternalDatabase, variables: Mapping[str, str], tmp_path: Path
) -> None:
    assert goose(API, database.migration_environment(old), folder=tmp_path / "goose").returncode == 0
    insert = "INSERT INTO tasks (title) VALUES ('one')"
    run_section("Copy the database", variables, tmp_path)
    with pytest.raises(RehearsalError, match="read-only transaction"):
        old.query(insert)
    run_section("Go back", variables, tmp_path)
    assert old.query(insert) == "INSERT 0 1"
