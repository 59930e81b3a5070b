"""The verdicts that the Worker returns over HTTP, and its state in the Durable Object."""

from http import HTTPStatus

import pytest
import requests

from infra.edge.uptime.worker import SCRIPT
from tests.worker.conftest import Start
from tests.worker.runtime import RUN_SECONDS, STATUS_TOKEN, Check
from tests.worker.servers import FAILURE, Response, Server

TOKEN = f"Bearer {STATUS_TOKEN}"


def test_the_status_contains_every_check(start: Start, site: Server) -> None:
    worker = start(Check(name="api", url=site.url), Check(name="admin", url=f"{site.url}admin", status=401))
    assert worker.status() == {"checked": None, "checks": []}
    worker.run()
    status = worker.status()
    time = status["checked"]
    assert status["checks"] == [
        {"name": "api", "url": site.url, "state": "up", "since": time, "lastError": None},
        {
            "name": "admin",
            "url": f"{site.url}admin",
            "state": "unknown",
            "since": time,
            "lastError": "status 200 instead of 401",
        },
    ]


@pytest.mark.parametrize("secrets", [{}, {"STATUS_TOKEN": ""}, {"STATUS_TOKEN": None}])
def test_other_requests_get_404(start: Start, secrets: dict[str, str | None]) -> None:
    worker = start(secrets=secrets)
    others = [TOKEN[:-1], f"{TOKEN}x", STATUS_TOKEN, "", "Bearer", "Bearer ", "Bearer undefined", "Bearer null"]
    rejected = [("GET", "", other) for other in others]
    rejected += [("GET", "other", TOKEN), ("POST", "", TOKEN), ("HEAD", "", TOKEN)]
    for method, path, authorization in rejected:
        headers = {"Authorization": authorization}
        response = requests.request(method, worker.url + path, headers=headers, timeout=RUN_SECONDS)
        assert response.status_code == HTTPStatus.NOT_FOUND, (method, path, authorization)
    response = requests.get(worker.url, timeout=RUN_SECONDS)
    assert (response.status_code, response.text) == (HTTPStatus.NOT_FOUND, "Not found\n")
    response = requests.get(worker.url, headers={"Authorization": TOKEN}, timeout=RUN_SECONDS)
    assert response.ok == (not secrets)


def test_a_removed_check_disappears_and_a_new_one_begins(start: Start, site: Server, webhook: Server) -> None:
    site.response = FAILURE
    start(Check(name="api", url=site.url), Check(name="old", url=site.url), failures=1).run()
    assert len(webhook.messages) == 1
    worker = start(Check(name="new", url=site.url), Check(name="api", url=f"{site.url}moved"), failures=2)
    worker.run()
    # A check with a new URL keeps its state.
    assert worker.states() == {"new": "unknown", "api": "down"}
    assert [check["url"] for check in worker.status()["checks"]] == [site.url, f"{site.url}moved"]
    assert len(webhook.messages) == 1


def test_a_new_version_of_the_script_keeps_the_state(start: Start, site: Server, webhook: Server) -> None:
    site.response, webhook.response = FAILURE, FAILURE
    check = Check(name="api", url=site.url)
    worker = start(check, failures=1)
    worker.run()
    before = worker.status()
    webhook.requests.clear()
    worker = start(check, failures=1, script=f"{SCRIPT.read_text()}// Another version.\n")
    assert worker.status() == before
    webhook.response = Response()
    worker.run()
    worker.run()
    assert len(webhook.messages) == 1
