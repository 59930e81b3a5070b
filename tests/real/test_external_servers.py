"""The servers outside of the cluster: TLS, passwords, outages, and what tests query."""

import json
import smtplib
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from http import HTTPStatus
from pathlib import Path

import pytest
import requests

from infra.settings.logs import LogSettings
from infra.settings.monitoring import MonitoringSettings
from infra.settings.traces import TracesSettings
from rehearsal.errors import RehearsalError
from rehearsal.external.log_database import LogDatabase
from rehearsal.external.mail_server import MailServer
from rehearsal.external.metrics_database import MetricsDatabase, Sample
from rehearsal.external.reverse_proxy import Gateway
from rehearsal.external.trace_collector import TraceCollector
from rehearsal.external_authority import external_authority
from rehearsal.layout import Layout
from rehearsal.processes import processes
from tests.retry import eventually

METRICS, MAIL, TRACES, GATEWAY, LOGS = (f"127.0.77.{number}" for number in range(20, 25))
PASSWORD = "rehearsal-password"
MONITORING = MonitoringSettings.model_validate({"url": "https://obs.example.com/metrics", "username": "writer"})
TRACING = TracesSettings.model_validate({"url": "https://traces.example.com/otlp", "username": "writer"})


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    world = Layout(tmp_path / "world")
    world.make_folders()
    yield world
    processes.stop(world)


@pytest.fixture
def database(layout: Layout) -> MetricsDatabase:
    server = MetricsDatabase(layout=layout, settings=MONITORING, password=PASSWORD, address=METRICS)
    server.start()
    return server


@pytest.fixture
def mail_server(layout: Layout) -> MailServer:
    server = MailServer(
        layout=layout, hostname="smtp.example.com", port=587, user="app@example.com", password=PASSWORD, address=MAIL
    )
    server.start()
    return server


@pytest.fixture
def collector(layout: Layout) -> TraceCollector:
    server = TraceCollector(layout=layout, settings=TRACING, password=PASSWORD, address=TRACES)
    server.start()
    return server


def send_span(collector: TraceCollector, *, password: str = PASSWORD, path: str = "/otlp/v1/traces") -> HTTPStatus:
    """Sends a span of api in OTLP's JSON format."""
    now = time.time_ns()
    span = {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
        "name": "GET /",
        "startTimeUnixNano": str(now),
        "endTimeUnixNano": str(now + 1000),
        "attributes": [{"key": "url.path", "value": {"stringValue": "/"}}],
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "api"}}]}
    content = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
    response = requests.post(
        f"https://{collector.address}{path}",
        data=json.dumps(content),
        headers={"Content-Type": "application/json"},
        auth=(TRACING.username, password),
        verify=str(external_authority().files.certificate),
        timeout=10,
    )
    return HTTPStatus(response.status_code)


def test_a_span_is_stored_with_the_password_only(collector: TraceCollector) -> None:
    assert send_span(collector, password="wrong") == HTTPStatus.UNAUTHORIZED
    assert send_span(collector, path="/v1/traces") == HTTPStatus.NOT_FOUND
    assert collector.spans("api") == []
    assert send_span(collector) == HTTPStatus.OK

    def the_span_is_found() -> None:
        spans = collector.spans("api", **{"url.path": "/"})
        assert [(span.service, span.operation) for span in spans] == [("api", "GET /")]

    eventually(the_span_is_found)
    assert collector.spans("api", **{"url.path": "/other"}) == []
    collector.stop()
    with pytest.raises(OSError, match="Connection"):
        collector.spans("api")
    collector.start()
    assert send_span(collector) == HTTPStatus.OK


def test_a_gateway_sends_each_path_to_its_server(
    layout: Layout, database: MetricsDatabase, collector: TraceCollector
) -> None:
    gateway = Gateway(layout=layout, address=GATEWAY, hostname="obs.example.com", backends=[database, collector])
    gateway.start()
    assert send_span(replace(collector, address=GATEWAY)) == HTTPStatus.OK
    assert send_span(replace(collector, address=GATEWAY), password="wrong") == HTTPStatus.UNAUTHORIZED
    assert write(replace(database, address=GATEWAY), "jobs 1\n") == HTTPStatus.NO_CONTENT
    eventually(lambda: _assert_equal(len(collector.spans("api")), 1))
    eventually(lambda: _assert_equal([sample.value for sample in database.query("jobs")], [1]))
    collector.stop()
    assert send_span(replace(collector, address=GATEWAY)) == HTTPStatus.BAD_GATEWAY
    assert write(replace(database, address=GATEWAY), "jobs 2\n") == HTTPStatus.NO_CONTENT


def write(database: MetricsDatabase, text: str, *, password: str = PASSWORD) -> HTTPStatus:
    """Writes samples in Prometheus' text format."""
    response = requests.post(
        f"https://{database.address}/metrics/api/v1/import/prometheus",
        data=text,
        auth=(MONITORING.username, password),
        verify=str(external_authority().files.certificate),
        timeout=10,
    )
    return HTTPStatus(response.status_code)


def test_a_written_sample_is_returned_and_survives_an_outage(database: MetricsDatabase) -> None:
    assert write(database, 'jobs{node="first"} 7\n') == HTTPStatus.NO_CONTENT
    expected = [Sample(labels={"__name__": "jobs", "node": "first"}, value=7)]
    eventually(lambda: _assert_equal(database.query("jobs"), expected))
    assert database.query("jobs", time=time.time() - 3600) == []
    # Immediately after a write, which the server has not stored yet.
    assert write(database, 'jobs{node="second"} 8\n') == HTTPStatus.NO_CONTENT
    database.stop()
    with pytest.raises(RehearsalError, match="the metrics database does not respond: ConnectionError"):
        database.query("jobs")
    database.start()
    eventually(lambda: _assert_equal([sample.value for sample in database.query("sort(jobs)")], [7, 8]))


def test_a_written_line_is_returned_and_survives_an_outage(layout: Layout) -> None:
    settings = LogSettings.model_validate({"url": "https://logs.example.com:9428/logs", "username": "writer"})
    database = LogDatabase(layout=layout, settings=settings, password=PASSWORD, address=LOGS)
    database.start()
    line = json.dumps({"_msg": "started", "_time": "0", "app": "api"}).encode()
    assert database.send("POST", "/insert/jsonline", {"_stream_fields": "app"}, line).ok
    database.stop()
    with pytest.raises(RehearsalError, match="the log database does not respond: ConnectionError"):
        database.query("*")
    database.start()
    eventually(lambda: _assert_equal([found["_msg"] for found in database.query("app:=api")], ["started"]))
    with pytest.raises(RehearsalError, match=r"the log database returned an error: .*cannot parse"):
        database.query("{")
    stranger = replace(database, password=f"{PASSWORD}-")
    assert stranger.send("GET", "/select/logsql/query", {"query": "*"}).status_code == HTTPStatus.UNAUTHORIZED


def _assert_equal(first: object, second: object) -> None:
    assert first == second


def test_a_wrong_password_and_an_invalid_query_are_errors(database: MetricsDatabase) -> None:
    assert write(database, "jobs 1\n", password="wrong") == HTTPStatus.UNAUTHORIZED
    with pytest.raises(RehearsalError, match="the metrics database returned an error"):
        replace(database, password="wrong").query("jobs")
    with pytest.raises(RehearsalError, match="unexpected token"):
        database.query("sum(")


def send(server: MailServer, subject: str, *, encrypted: bool = True, password: str = PASSWORD) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "app@example.com", "admin@example.com", subject
    message.set_content("The node is down.")
    with smtplib.SMTP(server.address, server.port, timeout=10) as client:
        if encrypted:
            client.starttls(context=ssl.create_default_context(cafile=external_authority().files.certificate))
            client.login(server.user, password)
        client.send_message(message)


def test_mails_are_listed_in_order_and_survive_an_outage(mail_server: MailServer) -> None:
    for subject in ("first", "second"):
        send(mail_server, subject)
    mail_server.stop()
    # Reset, while the last process of the server ends.
    with pytest.raises(OSError, match=r"refused|reset"):
        send(mail_server, "third")
    mail_server.start()
    first, second = mail_server.mails()
    assert (first.subject, second.subject) == ("first", "second")
    assert (first.sender, first.recipients) == ("app@example.com", ["admin@example.com"])
    assert first.text.strip() == "The node is down."
    assert first.received <= second.received


def test_the_mail_server_requires_encryption_and_the_password(mail_server: MailServer) -> None:
    with pytest.raises(smtplib.SMTPException, match="STARTTLS"):
        send(mail_server, "plain text", encrypted=False)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        send(mail_server, "wrong password", password="wrong")
    assert mail_server.mails() == []
