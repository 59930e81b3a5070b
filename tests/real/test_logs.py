"""On real nodes, the lines of every app, of Traefik and of the API server arrive at VictoriaLogs, and no secret does.

`make monitoring` runs the test of an outage, which takes minutes.
"""

import json
import re
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, get_args

import pytest

from infra.names import KUBE_SYSTEM, NAMESPACE
from infra.settings.apps import App
from infra.settings.secrets import SECRETS
from rehearsal.engine.placeholders import placeholder
from rehearsal.errors import RehearsalError
from rehearsal.external.log_database import Line, LogDatabase
from rehearsal.world.world import World
from tests.real import logs
from tests.real.conftest import edge_clients
from tests.real.hosts import API
from tests.rehearsal.edge_client import EdgeClient
from tests.retry import eventually

APPS = (*get_args(App), "redis")
SECONDS = 20
"""vlagent reads a file that nobody wrote to every ten seconds, which is fixed in its code (app/vlagent/tail). It sends
once a second. The rest is for a busy machine."""
OUTAGE_SECONDS = 120
AFTER_OUTAGE_SECONDS = 150
"""vlagent tries again once a minute at the latest."""
PLANTED = "planted-in-a-request"
POD, CONTAINER, OF_NAMESPACE = (f"kubernetes.{name}" for name in ("pod_name", "container_name", "pod_namespace"))


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world after `pulumi up`, with Traefik and logs."""
    folder = tmp_path_factory.mktemp("worlds")
    with World(folder / "logged", project=logs.project(folder), real_nodes=True) as world:
        logs.apply(world)
        yield world


@pytest.fixture(scope="module")
def obs(logged: World) -> LogDatabase:
    return logs.obs(logged)


@pytest.fixture(scope="module")
def clients(logged: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[EdgeClient]]:
    with edge_clients(logged, tmp_path_factory.mktemp("clients")) as each:
        yield each


def pods(world: World, app: str) -> Sequence[Any]:
    items: Sequence[Any] = world.kubectl_json(
        "get", "pods", f"--namespace={NAMESPACE}", f"--selector=app.kubernetes.io/name={app}"
    )["items"]
    return items


def delay(line: Line) -> float:
    """The seconds since the line was written."""
    return time.time() - datetime.fromisoformat(line["_time"]).timestamp()


def test_a_line_of_each_app_arrives_within_seconds(logged: World, obs: LogDatabase) -> None:
    """A pod of each app is replaced. The new pod writes a line when it starts."""
    old = {pod["metadata"]["name"] for app in APPS for pod in pods(logged, app)}
    for app in APPS:
        name = pods(logged, app)[0]["metadata"]["name"]
        # Without waiting for the end of the old pod, so that the delay of the new one's first line is measured.
        logged.kubectl("delete", "pod", "--wait=false", f"--namespace={NAMESPACE}", name)
    delays: dict[str, float] = {}

    def all_arrived() -> None:
        for line in obs.query(f'"{OF_NAMESPACE}":={NAMESPACE} _time:5m'):
            if line[CONTAINER] in APPS and line[POD] not in old:
                delays.setdefault(line[CONTAINER], delay(line))
        assert delays.keys() >= set(APPS)

    eventually(all_arrived, seconds=120)
    assert {app: seconds for app, seconds in delays.items() if seconds > SECONDS} == {}


def test_only_the_namespaces_of_the_settings_arrive(obs: LogDatabase) -> None:
    lines = obs.query("*")
    assert {line[OF_NAMESPACE] for line in lines if OF_NAMESPACE in line} == {NAMESPACE, KUBE_SYSTEM}
    assert len({line["node"] for line in lines}) == 3
    assert {line.get("cluster") for line in lines} == {"myhoneydue.com"}


def send_planted_requests(world: World, clients: Sequence[EdgeClient]) -> None:
    """Requests to the site and to the API server that contain a secret value wherever one can be."""
    for number, client in enumerate(clients):
        client.get(
            API,
            f"/api/health/?password={PLANTED}",
            Authorization=f"Bearer {PLANTED}",
            Cookie=f"session={PLANTED}",
            Referer=f"https://{API}/reset?token={PLANTED}",
            Cf_Ray=f"ray-{number}",
        )
    secret = ("secret", "generic", "planted", f"--namespace={NAMESPACE}")
    world.kubectl("create", *secret, f"--from-literal=password={PLANTED}")
    world.kubectl("get", "secret", "planted", f"--namespace={NAMESPACE}", "--output=yaml")
    redis = pods(world, "redis")[0]["metadata"]["name"]
    world.kubectl("exec", f"--namespace={NAMESPACE}", redis, "--", "echo", PLANTED)
    invalid = {"spec": {"template": {"spec": {"containers": [{"name": "planted", "image": PLANTED, "env": 1}]}}}}
    with pytest.raises(RehearsalError):
        world.kubectl("patch", "deployment", "api", f"--namespace={NAMESPACE}", f"--patch={json.dumps(invalid)}")


def test_the_access_log_and_the_audit_log_arrive_without_secrets(
    logged: World, obs: LogDatabase, clients: Sequence[EdgeClient]
) -> None:
    send_planted_requests(logged, clients)

    def arrived() -> None:
        rays = {line["request_Cf-Ray"] for line in obs.query('"request_Cf-Ray":ray-*')}
        assert rays == {f"ray-{number}" for number in range(len(clients))}
        audited = obs.query("file:* objectRef.name:=planted")
        assert {line["verb"] for line in audited} == {"create", "get"}
        assert obs.query("file:* objectRef.subresource:=exec")
        assert obs.query("file:* verb:=patch objectRef.name:=api responseStatus.code:>=400")

    eventually(arrived)
    text = json.dumps(obs.query("*"))
    assert PLANTED not in text
    for key in SECRETS:
        secret = str(placeholder(key, logged.layout.pki))
        # A part of it is a leak, too.
        shown = secret[:-8] if secret.startswith(f"rehearsal-{key}") else secret
        assert not re.search(re.escape(json.dumps(shown)[1:-1]), text), key


@pytest.mark.monitoring
@pytest.mark.timeout(900)
def test_an_outage_of_two_minutes_loses_no_line(obs: LogDatabase, clients: Sequence[EdgeClient]) -> None:
    obs.stop()
    sent: list[str] = []
    end = time.monotonic() + OUTAGE_SECONDS
    while time.monotonic() < end:
        for client in clients:
            sent.append(f"outage-{len(sent)}")
            client.get(API, "/api/health/", Cf_Ray=sent[-1])
        time.sleep(1)
    obs.start()

    def all_arrived() -> None:
        rays = [line["request_Cf-Ray"] for line in obs.query('"request_Cf-Ray":outage-*')]
        assert sorted(rays) == sorted(sent)

    eventually(all_arrived, seconds=AFTER_OUTAGE_SECONDS)
