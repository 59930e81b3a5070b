"""When a check is down and when it is up again, and the messages about it."""

import re
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from rehearsal.loopback import LOOPBACK
from rehearsal.pki import CertificateAuthority
from tests.retry import eventually
from tests.worker.conftest import Start
from tests.worker.runtime import Check
from tests.worker.servers import FAILURE, Response, Server, serve

UP = Response(body='{"status": "healthy"}')
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def test_a_site_that_goes_down_and_is_up_again_sends_two_messages(start: Start, site: Server, webhook: Server) -> None:
    worker = start(Check(name="api", url=site.url), failures=3)
    worker.run()
    assert worker.states() == {"api": "up"}
    site.response = FAILURE
    worker.run()
    failed = worker.status()["checked"]
    time.sleep(1.1)
    worker.run()
    assert worker.states() == {"api": "up"}
    for _ in range(4):
        worker.run()
    assert webhook.messages == [f"api is down since {failed}: status 503 instead of 200 ({site.url})"]
    (check,) = worker.status()["checks"]
    assert check == {
        "name": "api",
        "url": site.url,
        "state": "down",
        "since": failed,
        "lastError": "status 503 instead of 200",
    }
    site.response = UP
    for _ in range(6):
        worker.run()
    (_, message) = webhook.messages
    assert re.fullmatch(rf"api is up since {TIME}, was down since {failed} \({site.url}\)", message)
    (check,) = worker.status()["checks"]
    assert (check["state"], check["lastError"]) == ("up", None)


def test_a_site_that_is_down_from_the_first_run_on_is_reported(start: Start, site: Server, webhook: Server) -> None:
    site.response = FAILURE
    worker = start(Check(name="api", url=site.url))
    worker.run()
    assert (worker.states(), webhook.messages) == ({"api": "unknown"}, [])
    worker.run()
    assert worker.states() == {"api": "down"}
    assert len(webhook.messages) == 1


def test_a_flapping_site_sends_one_message_at_most(start: Start, site: Server, webhook: Server) -> None:
    # Failures and successes in a row: those of each third site are three at most once.
    patterns = ["fsfsfsfsfsfsf", "ffsffsffsffsf", "fffsfsfsffsfs", "fffssfssfsffs"]
    worker = start(*(Check(name=pattern, url=f"{site.url}{pattern}") for pattern in patterns), failures=3)
    for results in zip(*patterns, strict=True):
        for pattern, result in zip(patterns, results, strict=True):
            site.responses[f"/{pattern}"] = FAILURE if result == "f" else UP
        worker.run()
    (message,) = webhook.messages
    assert [line.split()[:3] for line in message.splitlines()] == [[name, "is", "down"] for name in patterns[2:]]


def test_a_wrong_response_is_an_error(start: Start, site: Server, webhook: Server) -> None:
    expected = {
        "redirect": (Response(status=301, headers={"Location": "/"}), "status 301 instead of 200"),
        "status": (Response(status=401, body=UP.body), "status 401 instead of 200"),
        "body": (Response(body="status"), 'the body does not contain "healthy\\""'),
    }
    worker = start(*(Check(name=name, url=site.url + name, body='healthy"') for name in expected), failures=1)
    site.responses = {f"/{name}": response for name, (response, _) in expected.items()}
    worker.run()
    (message,) = webhook.messages
    errors = [line.partition(": ")[2] for line in message.splitlines()]
    assert errors == [f"{error} ({site.url}{name})" for name, (_, error) in expected.items()]
    assert len(site.requests) == len(expected)


@pytest.mark.parametrize("headers_first", [False, True])
def test_a_slow_response_is_an_error(start: Start, site: Server, webhook: Server, *, headers_first: bool) -> None:
    worker = start(Check(name="api", url=site.url, body="healthy"), failures=1, timeout_ms=300)
    site.response = replace(UP, headers_first=headers_first)
    with site.silence():
        worker.run()
    (message,) = webhook.messages
    assert message.endswith(f": no response within 0.3 s ({site.url})")


def test_the_expected_status_may_be_an_error_or_a_redirect(start: Start, site: Server) -> None:
    worker = start(Check(name="admin", url=site.url, status=401), Check(name="old", url=site.url, status=301))
    site.response = Response(status=401)
    worker.run()
    assert worker.states() == {"admin": "up", "old": "unknown"}
    site.response = Response(status=301, headers={"Location": "/other"})
    worker.run()
    assert worker.states() == {"admin": "up", "old": "up"}


def test_an_invalid_certificate_is_an_error(
    start: Start, webhook: Server, authority: CertificateAuthority, tmp_path: Path
) -> None:
    trusted = authority.issue(tmp_path, "trusted", common_name="localhost", hosts=["localhost"])
    other_host = authority.issue(tmp_path, "other", common_name="other", hosts=["other.example.com"])
    other_authority = CertificateAuthority.create(tmp_path, "unknown")
    untrusted = other_authority.issue(tmp_path, "untrusted", common_name="localhost", hosts=["localhost"])
    with ExitStack() as stack:
        certificates = {"trusted": trusted, "other host": other_host, "untrusted": untrusted}
        servers = {
            name: stack.enter_context(serve(certificate=certificate, host="localhost"))
            for name, certificate in certificates.items()
        }
        worker = start(*(Check(name=name, url=server.url) for name, server in servers.items()), failures=1)
        worker.run()
        assert worker.states() == {"trusted": "up", "other host": "down", "untrusted": "down"}
        assert [len(server.requests) for server in servers.values()] == [1, 0, 0]
    (message,) = webhook.messages
    assert len(message.splitlines()) == 2


def test_a_server_that_refuses_connections_is_down(start: Start, webhook: Server) -> None:
    worker = start(Check(name="api", url=f"http://{LOOPBACK}:1/"), failures=1)
    worker.run()
    assert worker.states() == {"api": "down"}
    assert len(webhook.messages) == 1


def test_one_message_contains_all_changes_of_a_run(start: Start, site: Server, webhook: Server) -> None:
    names = [f"site-{number}" for number in range(8)]
    worker = start(*(Check(name=name, url=f"{site.url}{name}") for name in names), failures=1)
    site.response = FAILURE
    worker.run()
    (request,) = webhook.requests
    message = request.json()
    assert [line.split()[0] for line in message["text"].splitlines()] == names
    assert message["content"] == message["text"]
    assert [change["name"] for change in message["changes"]] == names
    assert (request.method, request.headers["Content-Type"]) == ("POST", "application/json")


def test_a_long_message_fits_into_a_message_of_discord(start: Start, site: Server, webhook: Server) -> None:
    checks = [Check(name=f"site-{number}", url=f"{site.url}{'x' * 200}") for number in range(12)]
    worker = start(*checks, failures=1)
    site.response = FAILURE
    worker.run()
    (request,) = webhook.requests
    assert 1500 < len(request.json()["content"]) < 2000
    assert len(request.json()["changes"]) == 12


def test_six_requests_are_sent_at_the_same_time(start: Start, site: Server) -> None:
    worker = start(*(Check(name=f"site-{number}", url=site.url) for number in range(8)))
    with site.silence(), worker.running():
        eventually(lambda: six_requests_arrived(site))
        worker.status()
        assert len(site.requests) == 6
        site.open()
    assert len(site.requests) == 8
    assert set(worker.states().values()) == {"up"}


def six_requests_arrived(site: Server) -> None:
    assert len(site.requests) >= 6
