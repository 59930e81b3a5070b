"""The HTTP server in front of vmui: it forwards requests with the password of the world, and listens on loopback."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from infra.settings.monitoring import MonitoringSettings
from rehearsal.external import vmui_proxy
from rehearsal.external.metrics_database import MetricsDatabase
from rehearsal.layout import Layout


@dataclass(frozen=True, kw_only=True)
class Recorded(MetricsDatabase):
    """A database that records requests and returns the same response to each."""

    received: list[tuple[object, ...]] = field(default_factory=list)

    def send(
        self, method: str, path: str, parameters: Mapping[str, str] | bytes, body: bytes = b"", content_type: str = ""
    ) -> requests.Response:
        self.received.append((method, path, parameters, body, content_type))
        if path == "/away":
            raise requests.ConnectionError(self.password)
        response = requests.Response()
        response.status_code, response._content = 418, b"answer"
        response.headers.update({"Content-Type": "text/teapot", "Server": "obs"})
        return response


@pytest.fixture
def database(tmp_path: Path) -> Recorded:
    settings = MonitoringSettings(url="https://obs.example.com", username="writer")
    return Recorded(layout=Layout(tmp_path), address="192.0.2.1", settings=settings, password="of-the-test")


@pytest.fixture
def url(database: Recorded) -> Iterator[str]:
    listener = vmui_proxy.listen()
    server = vmui_proxy.server(vmui_proxy.application(database), listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield vmui_proxy.url(listener).partition("/vmui/")[0]
    server.shutdown()
    listener.close()


def test_requests_are_forwarded_with_their_body_and_parameters(url: str, database: Recorded) -> None:
    assert url.startswith("http://127.0.0.1:")
    response = requests.post(f"{url}/prometheus/api/v1/query?a=%2B&b=1", data={"query": "up"}, timeout=10)
    assert (response.status_code, response.text, response.headers["Content-Type"]) == (418, "answer", "text/teapot")
    form = "application/x-www-form-urlencoded"
    assert database.received == [("POST", "/prometheus/api/v1/query", b"a=%2B&b=1", b"query=up", form)]
    assert requests.get(f"{url}/", timeout=10).text == "answer"


def test_a_database_that_does_not_respond_is_an_error_without_the_password(url: str) -> None:
    response = requests.get(f"{url}/away", timeout=10)
    assert response.status_code == 502
    assert response.text == "the metrics database does not respond: ConnectionError\n"
