"""`make status`: the lines about the uptime Worker."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.names import UPTIME_SCRIPT
from ops.engine import stack as engine
from ops.errors import ForbiddenError, OpsError
from ops.status import command
from ops.status.line import Line, Result
from ops.status.stack import validated
from ops.status.uptime import OVERDUE, Results, result_lines, uptime_lines, worker_url
from rehearsal.clouds.cloudflare.worker_triggers import NO_SUBDOMAIN, SUBDOMAIN
from rehearsal.clouds.store import Store
from tests.unit.capture import full_settings
from tests.unit.clouds.api import CLOUDFLARE_TOKEN, ZONE, account, served
from tests.unit.clouds.cloudflare.requests import with_permissions

NOW = datetime(2026, 4, 24, 12, 0, tzinfo=UTC)
TOKEN = "status-token"


def check(name: str, state: str, minutes: int, error: str | None = None) -> dict[str, Any]:
    since = (NOW - timedelta(minutes=minutes)).isoformat()
    return {"name": name, "url": f"https://{name}.example.com/", "state": state, "since": since, "lastError": error}


def results(*checks: dict[str, Any], age: timedelta = timedelta(seconds=30)) -> dict[str, Any]:
    return {"checked": (NOW - age).isoformat(), "checks": list(checks)}


def lines_of(content: dict[str, Any]) -> list[tuple[Result, str]]:
    return [(line.result, line.text) for line in result_lines(Results.model_validate(content), NOW)]


def test_urls_that_are_up_are_one_line() -> None:
    assert lines_of(results(check("api", "up", 90), check("app", "up", 90))) == [
        (Result.OK, "all 2 URLs are up, checked 0 min ago")
    ]


def test_each_other_url_is_a_problem() -> None:
    assert lines_of(
        results(check("api", "down", 12, "status 503"), check("app", "up", 9), check("x", "unknown", 1))
    ) == [
        (Result.PROBLEM, "api is down for 12 min: status 503 (https://api.example.com/)"),
        (Result.PROBLEM, "x is unknown for 1 min (https://x.example.com/)"),
    ]


def test_a_worker_that_does_not_run_is_a_problem() -> None:
    first, second = lines_of(results(check("api", "up", 90), age=OVERDUE + timedelta(minutes=1)))
    assert first == (
        Result.PROBLEM,
        "the Worker does not run, checked 6 min ago: its cron trigger is in Cloudflare's dashboard",
    )
    assert second[0] is Result.OK
    assert len(lines_of(results(check("api", "up", 90), age=OVERDUE))) == 1
    ((result, text),) = lines_of({"checked": None, "checks": []})
    assert (result, text) == (Result.PROBLEM, "the Worker has not run yet: it runs once a minute")


class Worker(ThreadingHTTPServer):
    """A server that returns the results to a client with the token, as the Worker does."""

    status = 200
    body = json.dumps(results(check("api", "up", 90))).encode()


class Handler(BaseHTTPRequestHandler):
    server: Worker

    def do_GET(self) -> None:
        authorized = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        self.send_response(self.server.status if authorized else 404)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def worker() -> Iterator[Worker]:
    server = Worker(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def read(worker: Worker, token: str = TOKEN) -> list[Line]:
    return list(uptime_lines(f"http://127.0.0.1:{worker.server_port}/", token, NOW))


def test_the_results_are_read_with_the_token(worker: Worker) -> None:
    assert [line.text for line in read(worker)] == ["all 1 URLs are up, checked 0 min ago"]
    (line,) = read(worker, "another")
    assert line.result is Result.PROBLEM
    assert "returned 404" in line.text


@pytest.mark.parametrize(("status", "body"), [(500, b""), (302, b""), (200, b"<html>"), (200, b'{"checks": []}')])
def test_another_response_is_a_problem(worker: Worker, status: int, body: bytes) -> None:
    worker.status, worker.body = status, body
    (line,) = read(worker)
    assert line.result is Result.PROBLEM
    assert TOKEN not in line.text


def test_a_worker_that_cannot_be_reached_says_nothing_about_the_site() -> None:
    with pytest.raises(OpsError, match=r"http://127\.0\.0\.1:1/ cannot be reached \(ConnectionError\)"):
        list(uptime_lines("http://127.0.0.1:1/", TOKEN, NOW))


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    account(tmp_path)
    with served(tmp_path) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield tmp_path


def test_the_address_contains_the_subdomain_of_the_account(clouds: Path) -> None:
    assert worker_url(CLOUDFLARE_TOKEN, ZONE) == f"https://{UPTIME_SCRIPT}.{SUBDOMAIN}.workers.dev/"
    with Store(clouds / "cloudflare.json").transaction() as state:
        state.of(NO_SUBDOMAIN)["account"] = {}
    for domain in (ZONE, "other.com"):
        with pytest.raises(OpsError, match=f"no zone {domain}, or no subdomain of workers.dev"):
            worker_url(CLOUDFLARE_TOKEN, domain)


def test_a_token_that_may_not_read_workers_is_named(clouds: Path) -> None:
    with_permissions(clouds, "Zone:Read")
    with pytest.raises(ForbiddenError, match=r"may not read /accounts/\w+/workers/subdomain"):
        worker_url("limited", ZONE)


def test_the_command_reads_the_worker_with_the_token_of_the_stack(
    monkeypatch: pytest.MonkeyPatch, worker: Worker
) -> None:
    values: dict[str, Any] = {key.removeprefix("honeydue:"): value for key, value in full_settings().items()}
    url = f"http://127.0.0.1:{worker.server_port}/"
    monkeypatch.setattr(command, "worker_url", lambda *_: url)
    monkeypatch.setattr(engine, "read_output", lambda _, name: f"{TOKEN}\n" if name == "uptimeStatusToken" else "")
    (line,) = command._uptime_lines("prod", values, validated(values), NOW)
    assert line.text == "all 1 URLs are up, checked 0 min ago"
    del values["uptime"]
    (line,) = command._uptime_lines("prod", values, validated(values), NOW)
    assert line.text == "off: honeydue:uptime is not set"
