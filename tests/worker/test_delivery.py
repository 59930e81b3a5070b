"""Each message is sent once, whatever fails, and the heartbeat is sent after complete runs."""

from functools import partial

from tests.retry import eventually
from tests.worker.conftest import Start
from tests.worker.runtime import STATUS_TOKEN, Check, Worker
from tests.worker.servers import FAILURE, Response, Server


def assert_requests(server: Server, count: int) -> None:
    assert len(server.requests) == count


def test_two_runs_at_once_are_one_run(start: Start, site: Server, webhook: Server) -> None:
    worker = start(Check(name="api", url=site.url), failures=2)
    site.response = FAILURE
    for runs in (1, 2):
        with site.silence(), worker.running(), worker.running():
            eventually(partial(assert_requests, site, runs))
            until_calls_arrive(worker)
            site.open()
        assert len(site.requests) == runs
        assert len(webhook.messages) == runs - 1


def until_calls_arrive(worker: Worker) -> None:
    """Returns when the Durable Object has received all calls of requests that were sent before."""
    for _ in range(5):
        worker.status()


def test_a_run_during_the_delivery_of_a_message_does_not_send_it_again(
    start: Start, site: Server, webhook: Server
) -> None:
    worker = start(Check(name="api", url=site.url), failures=1)
    site.response = FAILURE
    with webhook.silence(), worker.running():
        eventually(partial(assert_requests, webhook, 1))
        with worker.running():
            until_calls_arrive(worker)
            # A second run would send its requests now.
            assert len(site.requests) == 1
            webhook.open()
    worker.run()
    assert len(webhook.messages) == 1


def test_a_message_is_sent_again_until_the_webhook_accepts_it(start: Start, site: Server, webhook: Server) -> None:
    worker = start(Check(name="api", url=site.url), failures=1)
    site.response = FAILURE
    webhook.response = Response(status=500)
    worker.run()
    worker.run()
    (message,) = set(webhook.messages)
    assert len(webhook.messages) == 2
    worker.wait_for_log("webhook failed: status 500")
    webhook.response = Response()
    worker.run()
    worker.run()
    assert webhook.messages == [message] * 3


def test_an_outage_that_ended_while_the_webhook_was_away_is_reported(
    start: Start, site: Server, webhook: Server
) -> None:
    worker = start(Check(name="api", url=site.url), failures=1)
    site.response, webhook.response = FAILURE, FAILURE
    worker.run()
    site.response = Response()
    worker.run()
    webhook.requests.clear()
    webhook.response = Response()
    worker.run()
    worker.run()
    (message,) = webhook.messages
    down, up = message.splitlines()
    assert down.startswith("api is down since ")
    assert up.startswith("api is up since ")


def test_a_redirect_of_the_webhook_is_an_error(start: Start, site: Server, webhook: Server) -> None:
    worker = start(Check(name="api", url=site.url), failures=1)
    site.response = FAILURE
    webhook.response = Response(status=302, headers={"Location": "/other"})
    worker.run()
    assert [request.path for request in webhook.requests] == ["/"]
    worker.wait_for_log("webhook failed: status 302")


def test_every_complete_run_sends_a_heartbeat(start: Start, site: Server, webhook: Server, heartbeat: Server) -> None:
    secrets = {"WEBHOOK_URL": webhook.url, "HEARTBEAT_URL": heartbeat.url}
    worker = start(Check(name="api", url=site.url), failures=2, secrets=secrets)
    worker.run()
    assert len(heartbeat.requests) == 1
    site.response, webhook.response = FAILURE, FAILURE
    worker.run()
    assert len(heartbeat.requests) == 2
    # The message cannot be sent.
    worker.run()
    assert (worker.states(), len(heartbeat.requests)) == ({"api": "down"}, 2)
    webhook.response = Response()
    worker.run()
    worker.run()
    assert (worker.states(), len(heartbeat.requests)) == ({"api": "down"}, 4)


def test_a_run_succeeds_without_the_heartbeat_and_without_a_channel(start: Start, site: Server) -> None:
    site.response = FAILURE
    worker = start(Check(name="api", url=site.url), failures=1, secrets={})
    worker.run()
    worker = start(Check(name="api", url=site.url), failures=1, secrets={"HEARTBEAT_URL": site.url})
    worker.run()
    assert worker.states() == {"api": "down"}
    worker.wait_for_log("heartbeat failed: status 503")


def test_a_channel_that_is_added_during_an_outage_sends_no_old_message(
    start: Start, site: Server, webhook: Server
) -> None:
    site.response = FAILURE
    start(Check(name="api", url=site.url), failures=1, secrets={}).run()
    start(Check(name="api", url=site.url), failures=1).run()
    assert webhook.messages == []


def test_no_log_line_and_no_message_contains_a_secret(start: Start, site: Server, webhook: Server) -> None:
    site.response = FAILURE
    closed, invalid, failing = "http://127.0.0.1:1/secret", "not-a-url-secret", f"{site.url}secret"
    mail = {"sessionUrl": f"{site.url}session", "from": "from@example.com", "to": "to@example.com"}
    for name, url in {"closed": closed, "invalid": invalid, "failing": failing}.items():
        secrets = {"WEBHOOK_URL": url, "MAIL_TOKEN": "secret"}
        worker = start(Check(name=name, url=site.url), failures=1, secrets=secrets, mail=mail)
        worker.run()
        worker.wait_for_log("webhook failed: ")
        worker.wait_for_log("mail failed: status 503")
        assert not any(secret in worker.log for secret in ("secret", STATUS_TOKEN))
    secrets = {"WEBHOOK_URL": webhook.url, "HEARTBEAT_URL": closed}
    worker = start(Check(name="api", url=site.url), failures=1, secrets=secrets)
    worker.run()
    worker.wait_for_log("heartbeat failed: Error")
    assert "secret" not in worker.log
    (message,) = webhook.requests
    assert len(message.json()["changes"]) == 4
    assert b"secret" not in message.body
