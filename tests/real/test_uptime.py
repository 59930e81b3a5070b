"""The uptime Worker requests the site through a stand-in for Cloudflare's edge, while api is stopped and started."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from infra.edge.uptime.checks import TIMEOUT_MS, public_urls
from infra.settings.uptime import UptimeSettings
from rehearsal.world.world import World
from tests.real.cloudflare_edge import Edge, cloudflare_edge
from tests.real.hosts import APEX, API
from tests.real.test_node_loss import nodes_with_ready_pods
from tests.rehearsal.edge_client import EdgeClient
from tests.retry import eventually
from tests.worker.runtime import Check, Worker, bindings, runtime
from tests.worker.servers import Server, serve

FAILURES = UptimeSettings(webhook=True).failures
SERVED_BY_API = {"api": f"https://{API}/api/health/", "apex": f"https://{APEX}/"}
REPLICAS = 3
ROLLOUT_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class Uptime:
    """The Worker, and the servers to which it sends requests."""

    worker: Worker
    edge: Edge
    webhook: Server
    heartbeat: Server

    def runs(self, count: int) -> None:
        """Runs the Worker as its cron trigger does, without the minutes in between."""
        for _ in range(count):
            self.worker.run()


@pytest.fixture
def uptime(cloudflare: Sequence[EdgeClient], tmp_path: Path) -> Iterator[Uptime]:
    urls = public_urls(APEX, admin_auth=False)
    checks = [Check(name=name, url=url.url, status=url.status, body=url.body) for name, url in urls.items()]
    hosts = [urlsplit(check.url).hostname or "" for check in checks]
    with (
        cloudflare_edge(cloudflare, tmp_path, hosts=hosts) as files,
        runtime(tmp_path, trusted_ca=files.trusted_ca, command=files.command) as miniflare,
        serve() as webhook,
        serve() as heartbeat,
    ):
        secrets = {"WEBHOOK_URL": webhook.url, "HEARTBEAT_URL": heartbeat.url}
        values = bindings(checks, failures=FAILURES, timeout_ms=TIMEOUT_MS, secrets=secrets)
        worker = miniflare.start(values, tmp_path / "state")
        yield Uptime(worker=worker, edge=files.edge, webhook=webhook, heartbeat=heartbeat)


@pytest.fixture
def api_runs_again(production: World) -> Iterator[None]:
    """Starts api after the test, also if it failed."""
    yield
    scale_api(production, REPLICAS)


def scale_api(world: World, replicas: int) -> None:
    # With no replicas, the autoscaler does nothing.
    world.kubectl("scale", "--namespace=honeydue", "deployment/api", f"--replicas={replicas}")

    def pods_are_scaled() -> None:
        # Later, the autoscaler may add pods.
        assert min(len(nodes_with_ready_pods(world, "api")), REPLICAS) == replicas

    eventually(pods_are_scaled, seconds=ROLLOUT_SECONDS)


@pytest.mark.usefixtures("api_runs_again")
def test_one_message_reports_that_api_is_down_and_one_that_it_is_up_again(
    production: World, cloudflare: Sequence[EdgeClient], uptime: Uptime
) -> None:
    def api_answers(status: HTTPStatus) -> None:
        assert {client.get(API, "/api/health/").status == status for client in cloudflare} == {True}

    uptime.runs(1)
    states = uptime.worker.states()
    assert states == dict.fromkeys(states, "up"), uptime.worker.status()
    assert {request.headers["Host"] for request in uptime.edge.requests} >= {API, APEX}

    scale_api(production, 0)
    eventually(lambda: api_answers(HTTPStatus.SERVICE_UNAVAILABLE), seconds=ROLLOUT_SECONDS)
    uptime.runs(FAILURES - 1)
    assert uptime.webhook.messages == []
    uptime.runs(3)
    (down,) = uptime.webhook.messages
    for line, (name, url) in zip(down.splitlines(), SERVED_BY_API.items(), strict=True):
        assert line.startswith(f"{name} is down since ")
        assert line.endswith(f": status 503 instead of 200 ({url})")
    assert uptime.worker.states() == {**states, **dict.fromkeys(SERVED_BY_API, "down")}

    scale_api(production, REPLICAS)
    eventually(lambda: api_answers(HTTPStatus.OK), seconds=ROLLOUT_SECONDS)
    uptime.runs(FAILURES + 2)
    (_, up) = uptime.webhook.messages
    for line, name in zip(up.splitlines(), SERVED_BY_API, strict=True):
        assert line.startswith(f"{name} is up since ")
    assert uptime.worker.states() == states
    # One for each run: also while api was down.
    assert len(uptime.heartbeat.requests) == 1 + (FAILURES - 1) + 3 + (FAILURES + 2)
