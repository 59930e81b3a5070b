"""The stand-in images behave as honeyDue does, with a real database and pooler, real migrations and a real Redis."""

import http.client
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from infra.settings.monitoring import ApiMetrics
from rehearsal.external.database import ExternalDatabase
from rehearsal.images.catalog import Schema, api, frontend, worker
from tests.real import database, standins
from tests.real.standins import free_port, goose, running, startup_error
from tests.retry import eventually

REGISTRY = "registry.example/honeydue"
API = {schema: api(f"{REGISTRY}-api:{schema.name.lower()}", schema) for schema in Schema}
WORKER = {schema: worker(f"{REGISTRY}-worker:{schema.name.lower()}", schema) for schema in Schema}


@pytest.fixture
def external_database(tmp_path: Path) -> Iterator[ExternalDatabase]:
    with database.running(tmp_path) as running_database:
        yield running_database


@pytest.fixture
def environment(external_database: ExternalDatabase, tmp_path: Path) -> Iterator[Mapping[str, str]]:
    with standins.redis(tmp_path / "redis") as port:
        yield standins.backend_environment(external_database, redis_port=port, key=tmp_path / "apns.key")


def apply_migrations(external_database: ExternalDatabase, schema: Schema, folder: Path) -> None:
    completed = goose(API[schema], database.migration_environment(external_database), folder=folder / f"goose-{schema}")
    assert completed.returncode == 0, completed.stderr


def test_migrations_are_applied_once_and_a_broken_one_is_rolled_back(
    external_database: ExternalDatabase, tmp_path: Path
) -> None:
    apply_migrations(external_database, Schema.FIRST, tmp_path)
    apply_migrations(external_database, Schema.ADDITIVE, tmp_path)
    # A second run has no migration to apply, and succeeds.
    apply_migrations(external_database, Schema.ADDITIVE, tmp_path)
    completed = goose(API[Schema.BROKEN], database.migration_environment(external_database), folder=tmp_path / "broken")
    assert completed.returncode == 1
    assert 'relation "no_such_table" does not exist' in completed.stderr
    assert external_database.query("SELECT max(version_id) FROM goose_db_version") == "2"
    assert external_database.query("SELECT to_regclass('half_done') IS NULL") == "t"


def test_api_and_worker_exit_when_the_schema_is_older_than_they_need(
    external_database: ExternalDatabase, environment: Mapping[str, str], tmp_path: Path
) -> None:
    for image in (API, WORKER):
        message = startup_error(image[Schema.FIRST], environment, folder=tmp_path)
        assert "Schema precondition failed: goose_db_version cannot be read" in message
        assert message.count("\n") == 1
    apply_migrations(external_database, Schema.FIRST, tmp_path)
    for image in (API, WORKER):
        assert "goose_db_version is at 1 (applied: true), this release needs 2" in startup_error(
            image[Schema.ADDITIVE], environment, folder=tmp_path
        )


def test_api_exits_when_the_apns_key_is_missing(
    external_database: ExternalDatabase, environment: Mapping[str, str], tmp_path: Path
) -> None:
    apply_migrations(external_database, Schema.FIRST, tmp_path)
    message = startup_error(
        API[Schema.FIRST], {**environment, "APNS_AUTH_KEY_PATH": "/etc/apns/key.p8"}, folder=tmp_path
    )
    assert "the APNs key cannot be read" in message


def test_the_message_of_a_failed_login_contains_no_password(environment: Mapping[str, str], tmp_path: Path) -> None:
    message = startup_error(API[Schema.FIRST], {**environment, "POSTGRES_PASSWORD": "rehearsal-wrong"}, folder=tmp_path)
    assert "password authentication failed" in message.lower() or "sasl" in message.lower()
    assert "rehearsal-wrong" not in message


def test_an_old_release_keeps_working_after_the_migrations_of_a_new_one(
    external_database: ExternalDatabase, environment: Mapping[str, str], tmp_path: Path
) -> None:
    apply_migrations(external_database, Schema.FIRST, tmp_path)
    with running(API[Schema.FIRST], environment, folder=tmp_path) as old:
        assert old.request("/api/tasks/", method="POST", body={"title": "one"})[0] == 201
        apply_migrations(external_database, Schema.ADDITIVE, tmp_path)
        with running(API[Schema.ADDITIVE], environment, folder=tmp_path) as new:
            assert new.request("/api/tasks/", method="POST", body={"title": "two", "notes": "of it"}) == (
                201,
                {"id": 2, "title": "two", "notes": "of it", "release": "additive"},
            )
            assert old.request("/api/tasks/", method="POST", body={"title": "three"})[0] == 201
            assert [task["title"] for task in new.request("/api/tasks/")[1]] == ["three", "two", "one"]
        # After a rollback, a release runs with the schema of a newer one.
        assert len(old.request("/api/tasks/")[1]) == 3


def test_worker_processes_the_jobs_that_api_enqueues(
    external_database: ExternalDatabase, environment: Mapping[str, str], tmp_path: Path
) -> None:
    apply_migrations(external_database, Schema.FIRST, tmp_path)
    with running(API[Schema.FIRST], environment, folder=tmp_path) as running_api:
        status, job = running_api.request("/api/jobs/", method="POST")
        assert status == 202
        path = f"/api/jobs/{job['id']}"
        # No worker runs yet.
        assert running_api.request(path)[0] == 404
        process = standins.start(WORKER[Schema.FIRST], environment, port=0, folder=tmp_path)
        try:

            def job_is_completed() -> None:
                assert running_api.request(path) == (200, {"id": job["id"], "release": "first"})

            eventually(job_is_completed)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=standins.TIMEOUT_SECONDS) == 0
        finally:
            process.kill()
            process.wait()


def test_the_health_endpoint_reports_an_outage_of_redis_and_of_the_database(
    external_database: ExternalDatabase, environment: Mapping[str, str], tmp_path: Path
) -> None:
    apply_migrations(external_database, Schema.FIRST, tmp_path)
    healthy = {"status": "ok", "release": "first", "database": "ok", "redis": "ok"}
    with running(API[Schema.FIRST], environment, folder=tmp_path) as running_api:
        assert running_api.request("/api/health/") == (200, healthy)
    wrong_redis_password = {**environment, "REDIS_PASSWORD": "rehearsal-wrong"}
    with running(API[Schema.FIRST], wrong_redis_password, folder=tmp_path) as running_api:
        # Without Redis, api still answers requests from the database.
        assert running_api.request("/api/health/") == (200, {**healthy, "status": "degraded", "redis": "down"})
        external_database.stop()
        assert running_api.request("/api/health/")[0] == 503


def test_api_exposes_the_metric_of_its_open_connections_to_the_database(
    external_database: ExternalDatabase, environment: Mapping[str, str], tmp_path: Path
) -> None:
    apply_migrations(external_database, Schema.FIRST, tmp_path)
    with running(API[Schema.FIRST], environment, folder=tmp_path) as running_api:
        status, text = running_api.request(ApiMetrics().path)
    # The check of the schema opened a connection, which stays open.
    series = f'{ApiMetrics().open_connections}{{db_name="{external_database.database.name}"}} 1'
    assert (status, series in text.splitlines()) == (200, True)


def test_api_completes_open_requests_after_sigterm(
    external_database: ExternalDatabase, environment: Mapping[str, str], tmp_path: Path
) -> None:
    apply_migrations(external_database, Schema.FIRST, tmp_path)
    with running(API[Schema.FIRST], environment, folder=tmp_path) as running_api:
        with closing(http.client.HTTPConnection("127.0.0.1", running_api.port, timeout=10)) as slow:
            body = b'{"title": "slow"}'
            slow.putrequest("POST", "/api/tasks/")
            slow.putheader("Content-Length", str(len(body)))
            slow.endheaders(body[:5])
            # api accepts connections in order: after this response it has accepted the slow one, too.
            assert running_api.request("/api/health/")[0] == 200
            running_api.process.send_signal(signal.SIGTERM)

            def connections_are_refused() -> None:
                try:
                    running_api.request("/api/health/")
                except ConnectionRefusedError:
                    return
                raise AssertionError("api still listens")

            eventually(connections_are_refused)
            slow.send(body[5:])
            assert slow.getresponse().status == 201
        assert running_api.process.wait(timeout=standins.TIMEOUT_SECONDS) == 0


def test_a_frontend_shows_data_of_api_and_stays_healthy_without_api(
    external_database: ExternalDatabase, environment: Mapping[str, str], tmp_path: Path
) -> None:
    apply_migrations(external_database, Schema.FIRST, tmp_path)
    (tmp_path / ".next" / "cache").mkdir(parents=True)
    image = frontend("web", f"{REGISTRY}-web:1")
    with (
        running(API[Schema.FIRST], environment, folder=tmp_path) as running_api,
        running(image, {"API_URL": f"http://127.0.0.1:{running_api.port}"}, folder=tmp_path) as web,
    ):
        running_api.request("/api/tasks/", method="POST", body={"title": "mow the lawn"})
        assert "mow the lawn" in web.request("/tasks")[1]
        assert "&#34;release&#34;:&#34;first&#34;" in web.request("/")[1]
        assert web.request("/admin/")[0] == 404
        running_api.process.kill()
        running_api.process.wait()
        assert web.request("/tasks")[0] == 500
        # The probes request this path. The kubelet must not restart web while api is down.
        assert web.request("/")[0] == 200


def test_a_frontend_without_its_cache_folder_answers_500(tmp_path: Path) -> None:
    with running(
        frontend("admin", f"{REGISTRY}-admin:1"), {"API_URL": f"http://127.0.0.1:{free_port()}"}, folder=tmp_path
    ) as admin:
        assert admin.request("/") == (500, "the cache cannot be written\n")
