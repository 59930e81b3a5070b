"""Dumps of the database on real nodes: dump, wipe, restore; what must not count as a dump; and the drill.

PostgreSQL, pgbouncer, age and rclone are real. versitygw replaces Backblaze.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from infra.names import NAMESPACE, RESTORE_DRILL
from rehearsal.engine.configuration import read_stack_settings
from rehearsal.external.backup_store import BackupStore
from rehearsal.external.database import ExternalDatabase
from rehearsal.real_nodes.cluster_config import external_database
from rehearsal.traefik import daemonset
from rehearsal.traefik.chart import chart_values
from rehearsal.world.world import World
from tests.real import backups, database
from tests.real.conftest import edge_clients
from tests.real.hosts import API, resolving
from tests.rehearsal.operator import ops, press_ctrl_c, start_ops
from tests.rehearsal.runbook import blocks, run
from tests.retry import eventually
from tools.cache import install_folder
from tools.programs import by_name

pytestmark = pytest.mark.durability

ROWS, RETURNED = 200, 100
"""Those in the database, and the newest, which the stand-in of api returns."""
END_PG_DUMP = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'pg_dump' AND query LIKE 'COPY%large%'
"""
LARGE = "CREATE TABLE large AS SELECT g AS id, md5(random()::text) AS text FROM generate_series(1, 1000000) g"


@dataclass(frozen=True, kw_only=True)
class Site:
    """The world with dumps, and what is outside of its cluster."""

    world: World
    store: BackupStore
    database: ExternalDatabase
    identity: Path
    prefix: Sequence[str]
    """Resolves the host name of the object store, as the DNS of the internet does for an operator."""

    def run(
        self, *arguments: str, answer: str = "", programs: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """An operator's command, with a key of the bucket, with kubectl, and with further programs."""
        extra = {**self.environment(programs), **environment}
        return ops(self.world, *arguments, answer=answer, extra=extra, prefix=self.prefix)

    def page(self, heading: str, programs: Path | None = None, **environment: str) -> str:
        """Runs the block of a section of docs/backups.md, and returns its output."""
        (block,) = blocks("backups.md", heading)
        extra = {**self.environment(programs), "IDENTITY": str(self.identity), "COLUMNS": "400", **environment}
        return run(self.world, block, extra, self.prefix)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts such a command."""
        return start_ops(self.world, *arguments, extra=self.environment(), prefix=self.prefix)

    def environment(self, programs: Path | None = None) -> Mapping[str, str]:
        _, variables = self.world.ops_command()
        folders = [*([programs] if programs else []), install_folder(by_name("kubernetes"))]
        path = os.pathsep.join([*map(str, folders), variables["PATH"]])
        return {**backups.operator_environment(), "PATH": path}

    def complete(self) -> set[str]:
        """The times of all complete dumps."""
        names = self.store.objects()
        times = {name.split(".", 1)[0] for name in names}
        return {time for time in times if {f"{time}.dump.age", f"{time}.manifest.json"} <= names.keys()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A world after `pulumi up`, with rows in its database."""
    folder = tmp_path_factory.mktemp("worlds")
    (folder / "project").mkdir()
    identity, recipient = backups.identity(folder)
    project = backups.project(folder / "project", recipient)
    with World(folder / "dumped", project=project, real_nodes=True) as world:
        world.pulumi("up", "--yes", "--skip-preview")
        daemonset.install(world.kubectl_client(), chart_values(world.kubectl_client()))
        server = external_database(world.layout, read_stack_settings(world.settings_file))
        server.query("INSERT INTO tasks (title) SELECT 'task ' || g FROM generate_series(1, 200) g")
        store = backups.store(world)
        prefix = resolving(store.addresses, folder)
        yield Site(world=world, store=store, database=server, identity=identity, prefix=prefix)


@pytest.fixture(scope="module")
def first(site: Site) -> str:
    """The time of a complete dump."""
    result = backups.dump(site.world, "first")
    assert result.succeeded, result.log
    (time_of_dump,) = site.complete()
    return time_of_dump


def titles(site: Site) -> int:
    return int(site.database.query("SELECT count(*) FROM tasks"))


def test_a_dump_is_complete_and_its_key_cannot_delete_it(site: Site, first: str) -> None:
    assert site.store.objects().keys() == {f"{first}.dump.age", f"{first}.manifest.json"}
    assert not site.store.may_delete(f"{first}.dump.age")


def test_the_last_success_is_recorded(site: Site, first: str) -> None:
    assert first

    def recorded() -> None:
        cron_job = site.world.kubectl_json("get", "cronjob", "database-backup", f"--namespace={NAMESPACE}")
        assert cron_job["status"]["lastSuccessfulTime"]

    eventually(recorded)


@pytest.mark.parametrize(
    ("name", "environment", "expected"),
    [
        ("pooler", {"PGHOST": "POOLER"}, "is a pooler"),
        ("key", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "SignatureDoesNotMatch"),
    ],
)
def test_a_wrong_setting_is_an_error_and_changes_nothing(
    site: Site, first: str, name: str, environment: Mapping[str, str], expected: str
) -> None:
    hosts = {"POOLER": site.database.database.pooled_host}
    before = site.store.objects()
    values = {key: hosts.get(value, value) for key, value in environment.items()}
    result = backups.dump(site.world, f"wrong-{name}", **values)
    assert not result.succeeded
    assert expected in result.log
    assert site.complete() == {first}
    assert site.store.objects() == before


def test_a_store_that_is_away_is_an_error_and_changes_nothing(site: Site, first: str) -> None:
    site.store.stop()
    try:
        result = backups.dump(site.world, "away")
    finally:
        site.store.start()
    assert not result.succeeded
    assert "could not list the bucket" in result.log
    assert site.complete() == {first}


def test_a_full_bucket_is_an_error_and_changes_nothing(site: Site, first: str) -> None:
    """versitygw has no limit of storage: it refuses writes, as a bucket above its limit does."""
    site.store.set_rights(writable=False)
    try:
        result = backups.dump(site.world, "full")
    finally:
        site.store.set_rights(writable=True)
    assert not result.succeeded
    assert "AccessDenied" in result.log
    assert site.complete() == {first}


def test_a_dump_that_is_cut_in_the_middle_is_no_object(site: Site, first: str) -> None:
    before = site.store.objects()
    site.database.query(LARGE)
    try:
        backups.start_dump(site.world, "cut")
        eventually(lambda: end_pg_dump(site), seconds=120)
        result = backups.result_of(site.world, "cut")
    finally:
        site.database.query("DROP TABLE large")
    assert not result.succeeded
    assert "pg_dump ended with exit code 1" in result.log
    assert site.complete() == {first}
    # test_backup_program.py asserts that no parts of the upload remain.
    assert site.store.objects() == before


def end_pg_dump(site: Site) -> None:
    """Ends the connection of pg_dump while it reads the table."""
    assert site.database.query(END_PG_DUMP) == "t"


def test_a_drill_restores_the_dump_and_leaves_nothing(site: Site, first: str) -> None:
    output = site.page("The drill")
    assert "The dump can be restored" in output
    assert f"Restoring {first}" in output
    assert f"{site.store.bucket}  Object Lock keeps each dump for 60 days in mode GOVERNANCE" in output
    cron_job = site.world.kubectl_json("get", "cronjob", RESTORE_DRILL, f"--namespace={NAMESPACE}")
    assert cron_job["status"]["lastSuccessfulTime"]
    assert leftovers(site) == []


def leftovers(site: Site) -> list[str]:
    """The Jobs and pods of drills."""
    items = site.world.kubectl_json(
        "get", "jobs,pods", f"--namespace={NAMESPACE}", f"--selector=app.kubernetes.io/name={RESTORE_DRILL}"
    )
    return [item["metadata"]["name"] for item in items["items"]]


def test_an_interrupted_drill_leaves_nothing(site: Site, first: str) -> None:
    assert first
    process = site.start("restore-drill", "--stack", "prod", "--identity", str(site.identity))

    def started() -> None:
        assert leftovers(site)

    eventually(started, seconds=60)
    press_ctrl_c(process)
    assert process.returncode != 0
    assert leftovers(site) == []


def test_a_drill_with_another_key_fails_and_leaves_nothing(site: Site, first: str, tmp_path: Path) -> None:
    assert first
    other, _ = backups.identity(tmp_path)
    result = site.run("restore-drill", "--stack", "prod", "--identity", str(other))
    assert result.returncode == 1
    assert "age ended with exit code 1" in result.stdout
    assert leftovers(site) == []


@pytest.fixture
def client_programs(tmp_path: Path) -> Path:
    return database.client_programs(tmp_path)


def dsn(site: Site) -> str:
    """The URL of the database, at its direct address."""
    server = site.database
    return f"postgresql://{server.database.user}:{server.password}@{server.direct}/{server.database.name}"


def test_a_restore_refuses_tables_and_brings_old_rows_back(site: Site, first: str, client_programs: Path) -> None:
    arguments = ("restore-database", "--stack", "prod", "--identity", str(site.identity), "--from", first)
    refused = site.run(*arguments, programs=client_programs, RESTORE_DSN=dsn(site))
    assert refused.returncode == 1
    assert "Nothing was changed. To replace them, add OVERWRITE=1" in refused.stdout
    overwrite = partial(site.run, *arguments, "--overwrite", programs=client_programs, RESTORE_DSN=dsn(site))
    wrong = overwrite(answer="another\n")
    assert wrong.returncode == 1
    assert "another name was typed" in wrong.stdout
    site.database.query("DELETE FROM tasks")
    restored = overwrite(answer=f"{site.database.direct}\n")
    assert restored.returncode == 0, restored.stdout
    assert titles(site) == ROWS


def test_after_a_wipe_the_api_answers_with_the_old_rows(
    site: Site, first: str, client_programs: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site.database.query("DROP SCHEMA public CASCADE")
    site.database.query("CREATE SCHEMA public")
    started = time.monotonic()
    output = site.page("Restore a database", client_programs, RESTORE_DSN=dsn(site))
    print(f"restored in {time.monotonic() - started:.1f} s")
    assert f"Restored {first}" in output
    assert titles(site) == ROWS
    with edge_clients(site.world, tmp_path_factory.mktemp("clients")) as clients:
        for client in clients:
            rows = json.loads(client.get(API, "/api/tasks/").body)
            assert [row["title"] for row in rows] == [f"task {number}" for number in range(ROWS, ROWS - RETURNED, -1)]
