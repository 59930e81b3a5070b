"""What the images hold keeps honeyDue's contract: with a real database behind a real pooler, real migrations and a real redis."""

import http.client
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from rehearsal.external.database import ExternalDatabase
from rehearsal.images.catalogue import Schema, api, frontend, worker
from tests.real import database, standins
from tests.real.patience import patiently
from tests.real.standins import free_port, goose, refusal, running

REGISTRY = "registry.example/honeydue"
API = {schema: api(f"{REGISTRY}-api:{schema.name.lower()}", schema) for schema in Schema}
WORKER = {schema: worker(f"{REGISTRY}-worker:{schema.name.lower()}", schema) for schema in Schema}


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[ExternalDatabase]:
    with database.running(tmp_path) as started:
        yield started


@pytest.fixture
def environment(outside: ExternalDatabase, tmp_path: Path) -> Iterator[Mapping[str, str]]:
    with standins.redis(tmp_path / "redis") as port:
        yield standins.backend_environment(outside, redis_port=port, key=tmp_path / "apns.key")


def migrated(outside: ExternalDatabase, schema: Schema, folder: Path) -> None:
    done = goose(API[schema], database.environment(outside), folder=folder / f"goose-{schema}")
    assert done.returncode == 0, done.stderr


def test_migrations_apply_and_a_broken_one_leaves_nothing(outside: ExternalDatabase, tmp_path: Path) -> None:
    migrated(outside, Schema.FIRST, tmp_path)
    migrated(outside, Schema.ADDITIVE, tmp_path)
    # Nothing to do is done too.
    migrated(outside, Schema.ADDITIVE, tmp_path)
    done = goose(API[Schema.BROKEN], database.environment(outside), folder=tmp_path / "broken")
    assert done.returncode == 1
    assert 'relation "no_such_table" does not exist' in done.stderr
    assert outside.query("SELECT max(version_id) FROM goose_db_version") == "2"
    assert outside.query("SELECT to_regclass('half_done') IS NULL") == "t"


def test_api_and_worker_refuse_to_start_before_their_schema(
    outside: ExternalDatabase, environment: Mapping[str, str], tmp_path: Path
) -> None:
    for image in (API, WORKER):
        said = refusal(image[Schema.FIRST], environment, folder=tmp_path)
        assert "Schema precondition failed: goose_db_version cannot be read" in said
        assert said.count("\n") == 1
    migrated(outside, Schema.FIRST, tmp_path)
    for image in (API, WORKER):
        assert "goose_db_version is at 1 (applied: true), this release needs 2" in refusal(
            image[Schema.ADDITIVE], environment, folder=tmp_path
        )


def test_api_refuses_to_start_without_its_push_key(
    outside: ExternalDatabase, environment: Mapping[str, str], tmp_path: Path
) -> None:
    migrated(outside, Schema.FIRST, tmp_path)
    said = refusal(API[Schema.FIRST], {**environment, "APNS_AUTH_KEY_PATH": "/etc/apns/key.p8"}, folder=tmp_path)
    assert "the APNs key cannot be read" in said


def test_no_refusal_tells_a_password(environment: Mapping[str, str], tmp_path: Path) -> None:
    said = refusal(API[Schema.FIRST], {**environment, "POSTGRES_PASSWORD": "rehearsal-wrong"}, folder=tmp_path)
    assert "password authentication failed" in said.lower() or "sasl" in said.lower()
    assert "rehearsal-wrong" not in said


def test_an_old_release_serves_on_beside_a_new_one(
    outside: ExternalDatabase, environment: Mapping[str, str], tmp_path: Path
) -> None:
    migrated(outside, Schema.FIRST, tmp_path)
    with running(API[Schema.FIRST], environment, folder=tmp_path) as old:
        assert old.ask("/api/tasks/", method="POST", body={"title": "one"})[0] == 201
        migrated(outside, Schema.ADDITIVE, tmp_path)
        with running(API[Schema.ADDITIVE], environment, folder=tmp_path) as new:
            assert new.ask("/api/tasks/", method="POST", body={"title": "two", "notes": "of it"}) == (
                201,
                {"id": 2, "title": "two", "notes": "of it", "release": "additive"},
            )
            assert old.ask("/api/tasks/", method="POST", body={"title": "three"})[0] == 201
            assert [task["title"] for task in new.ask("/api/tasks/")[1]] == ["three", "two", "one"]
        # A release that goes back finds a newer schema.
        assert len(old.ask("/api/tasks/")[1]) == 3


def test_worker_does_what_api_leaves_in_the_queue(
    outside: ExternalDatabase, environment: Mapping[str, str], tmp_path: Path
) -> None:
    migrated(outside, Schema.FIRST, tmp_path)
    with running(API[Schema.FIRST], environment, folder=tmp_path) as asked:
        status, job = asked.ask("/api/jobs/", method="POST")
        assert status == 202
        path = f"/api/jobs/{job['id']}"
        # Nobody takes it yet.
        assert asked.ask(path)[0] == 404
        process = standins.start(WORKER[Schema.FIRST], environment, port=0, folder=tmp_path)
        try:

            def done() -> None:
                assert asked.ask(path) == (200, {"id": job["id"], "release": "first"})

            patiently(done)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=standins.PATIENCE_SECONDS) == 0
        finally:
            process.kill()
            process.wait()


def test_health_is_honest(outside: ExternalDatabase, environment: Mapping[str, str], tmp_path: Path) -> None:
    migrated(outside, Schema.FIRST, tmp_path)
    well = {"status": "ok", "release": "first", "database": "ok", "redis": "ok"}
    with running(API[Schema.FIRST], environment, folder=tmp_path) as asked:
        assert asked.ask("/api/health/") == (200, well)
    without = {**environment, "REDIS_PASSWORD": "rehearsal-wrong"}
    with running(API[Schema.FIRST], without, folder=tmp_path) as asked:
        # Slower, but it serves.
        assert asked.ask("/api/health/") == (200, {**well, "status": "degraded", "redis": "down"})
        outside.stop()
        assert asked.ask("/api/health/")[0] == 503


def test_api_finishes_what_it_has_before_it_ends(
    outside: ExternalDatabase, environment: Mapping[str, str], tmp_path: Path
) -> None:
    migrated(outside, Schema.FIRST, tmp_path)
    with running(API[Schema.FIRST], environment, folder=tmp_path) as asked:
        with closing(http.client.HTTPConnection("127.0.0.1", asked.port, timeout=10)) as slow:
            body = b'{"title": "slow"}'
            slow.putrequest("POST", "/api/tasks/")
            slow.putheader("Content-Length", str(len(body)))
            slow.endheaders(body[:5])
            # One that was answered after it: by now api has the slow one too.
            assert asked.ask("/api/health/")[0] == 200
            asked.process.send_signal(signal.SIGTERM)

            def refused() -> None:
                try:
                    asked.ask("/api/health/")
                except ConnectionRefusedError:
                    return
                raise AssertionError("it still listens")

            patiently(refused)
            slow.send(body[5:])
            assert slow.getresponse().status == 201
        assert asked.process.wait(timeout=standins.PATIENCE_SECONDS) == 0


def test_a_frontend_asks_api_and_outlives_it(
    outside: ExternalDatabase, environment: Mapping[str, str], tmp_path: Path
) -> None:
    migrated(outside, Schema.FIRST, tmp_path)
    (tmp_path / ".next" / "cache").mkdir(parents=True)
    image = frontend("web", f"{REGISTRY}-web:1")
    with (
        running(API[Schema.FIRST], environment, folder=tmp_path) as asked,
        running(image, {"API_URL": f"http://127.0.0.1:{asked.port}"}, folder=tmp_path) as web,
    ):
        asked.ask("/api/tasks/", method="POST", body={"title": "mow the lawn"})
        assert "mow the lawn" in web.ask("/tasks")[1]
        assert "&#34;release&#34;:&#34;first&#34;" in web.ask("/")[1]
        assert web.ask("/admin/")[0] == 404
        asked.process.kill()
        asked.process.wait()
        assert web.ask("/tasks")[0] == 500
        # What probes ask: an outage of api is no reason to kill web.
        assert web.ask("/")[0] == 200


def test_a_frontend_without_its_cache_folder_shows_it(tmp_path: Path) -> None:
    with running(
        frontend("admin", f"{REGISTRY}-admin:1"), {"API_URL": f"http://127.0.0.1:{free_port()}"}, folder=tmp_path
    ) as admin:
        assert admin.ask("/") == (500, "the cache cannot be written\n")
