"""Metrics and alerts while something fails: VictoriaMetrics, api, a node. And api gets more pods under load.

The tests take half an hour, because alerts wait until a failure lasts, and resolve only after it has ended for good.
"""

import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from http import HTTPStatus

import pytest

from rehearsal.external.mail_server import Mail, MailServer
from rehearsal.external.metrics_database import MetricsDatabase
from rehearsal.world.world import World
from tests.real import monitoring
from tests.real.conftest import monitored_world
from tests.real.hosts import API
from tests.real.load import LoadGenerator
from tests.real.monitoring import SETTINGS, assert_subjects, by_node, pod_nodes
from tests.real.test_node_loss import nodes_with_ready_pods
from tests.rehearsal.edge_client import EdgeClient
from tests.retry import eventually

OUTAGE_SECONDS = 120
SCRAPE_SECONDS = 15
"""The scrape interval of `up` in the tests below."""
BACKLOG_SECONDS = 180
"""vmagent waits up to one minute before it tries again to send."""
SCALE_SECONDS = 300
"""The metrics server measures every 15 s, the autoscaler decides every 15 s, and it ignores pods that just started."""
TASKS, TITLE_BYTES = 100, 10_000
"""api reads and encodes so many tasks for a single request, so that few requests use much CPU."""
LIGHT_LOAD = 0.2
"""Seconds between two requests of a thread."""
NODE_DOWN_SECONDS = 180
"""The promise: the mail arrives within three minutes."""
FIRE_SECONDS = 600
"""Errors of one minute for three minutes, evaluated every minute, and the waits of vmalert and Alertmanager."""
RESOLVE_SECONDS = 900
"""An alert keeps firing for five minutes after its cause has ended."""

pytestmark = [pytest.mark.monitoring, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which nothing else sent a mail."""
    with monitored_world(tmp_path_factory.mktemp("worlds")) as world:
        yield world


@pytest.fixture(scope="module")
def obs(monitored: World) -> MetricsDatabase:
    return monitoring.obs(monitored)


@pytest.fixture(scope="module", autouse=True)
def _metrics_arrive(monitored: World, obs: MetricsDatabase, visitors: Sequence[EdgeClient]) -> None:
    """The tests begin when every job of every node is scraped, and every node serves requests."""
    jobs = monitoring.scrape_jobs(monitored)

    def every_target_is_up() -> None:
        up = {job.name: by_node(obs.query(f'min(up{{job="{job.name}"}}) by (node)')) for job in jobs}
        assert up == {job.name: dict.fromkeys(job.nodes, 1) for job in jobs}

    eventually(every_target_is_up, seconds=BACKLOG_SECONDS)
    assert visitors


class NewMails:
    """The mails of one test."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._old = len(server.mails())

    def __call__(self) -> Sequence[Mail]:
        return monitoring.rehearsed(self._server.mails()[self._old :])

    def wait(self, *patterns: str, seconds: float) -> Sequence[Mail]:
        """Waits until exactly these mails have arrived."""
        eventually(lambda: assert_subjects(self(), *patterns), seconds=seconds)
        return self()


@pytest.fixture
def mails(monitored: World) -> NewMails:
    return NewMails(monitoring.mailbox(monitored))


@pytest.fixture(scope="module")
def outage(obs: MetricsDatabase) -> float:
    """Stops VictoriaMetrics, and returns the time."""
    started = time.time()
    obs.stop()
    return started


def test_load_adds_pods_of_api_and_its_end_removes_them(
    monitored: World, visitors: Sequence[EdgeClient], outage: float
) -> None:
    """The autoscaler reads the metrics server, and needs no VictoriaMetrics: this runs during its outage."""
    assert outage
    scale = SETTINGS["scale.api"]
    assert isinstance(scale, dict)
    assert len(nodes_with_ready_pods(monitored, "api")) == scale["min"]
    with visitors[0].connect(API) as connection:
        for _ in range(TASKS):
            task = json.dumps({"title": "x" * TITLE_BYTES})
            connection.request("POST", "/api/tasks/", body=task, headers={"CF-Connecting-IP": "198.51.100.1"})
            response = connection.getresponse()
            assert (response.status, bool(response.read())) == (HTTPStatus.CREATED, True)

    def pods_were_added() -> None:
        assert len(nodes_with_ready_pods(monitored, "api")) > scale["min"]

    def pods_were_removed() -> None:
        assert len(nodes_with_ready_pods(monitored, "api")) == scale["min"]

    with LoadGenerator(visitors, {API: "/api/tasks/"}):
        eventually(pods_were_added, seconds=SCALE_SECONDS)
    eventually(pods_were_removed, seconds=SCALE_SECONDS)


def test_an_outage_of_victoriametrics_loses_no_sample(obs: MetricsDatabase, outage: float, mails: NewMails) -> None:
    def two_minutes_are_over() -> None:
        assert time.time() - outage >= OUTAGE_SECONDS

    eventually(two_minutes_are_over, seconds=OUTAGE_SECONDS + 10)
    obs.start()
    ended = time.time()
    window = int(ended - outage) // SCRAPE_SECONDS * SCRAPE_SECONDS

    def every_sample_arrived() -> None:
        counts = obs.query(
            f'min(count_over_time(up{{job=~"vmagent|traefik|node-exporter"}}[{window}s])) by (job, node)', time=ended
        )
        assert len(counts) == 3 * 3
        assert min(count.value for count in counts) >= window / SCRAPE_SECONDS - 1, counts

    eventually(every_sample_arrived, seconds=BACKLOG_SECONDS)
    # Samples that arrive late do not mean that a node is down.
    assert mails() == []


def test_failing_requests_send_a_mail_and_another_when_they_succeed(
    monitored: World, visitors: Sequence[EdgeClient], mails: NewMails
) -> None:
    failing, resolved = r"CRITICAL: .+% of the requests to honeydue-api-\S+ fail", r"Resolved: .* fail"
    with LoadGenerator(visitors, {API: "/api/tasks/"}, pause=LIGHT_LOAD):
        # With no replicas, the autoscaler does nothing.
        monitored.kubectl("scale", "--namespace=honeydue", "deployment/api", "--replicas=0")
        mails.wait(failing, seconds=FIRE_SECONDS)
        monitored.kubectl("scale", "--namespace=honeydue", "deployment/api", "--replicas=3")
        mails.wait(failing, resolved, seconds=RESOLVE_SECONDS)


def test_the_loss_of_a_node_with_vmalert_and_alertmanager_sends_one_mail(monitored: World, mails: NewMails) -> None:
    both = set.intersection(
        *(
            set(pod_nodes(monitored, "monitoring", f"app.kubernetes.io/name={part}"))
            for part in ("vmalert", "alertmanager")
        )
    )
    # Two pods each on different ones of three nodes.
    hostname = min(both)
    down = rf"CRITICAL: The node {hostname} is down\.$"
    monitored.power(hostname, on=False)
    lost = datetime.now(UTC)
    (mail,) = mails.wait(down, seconds=NODE_DOWN_SECONDS)
    assert (mail.received - lost).total_seconds() < NODE_DOWN_SECONDS

    # By then, its pods are evicted, and the alerts that follow from its loss are true.
    def pods_are_replaced() -> None:
        nodes = pod_nodes(monitored, "monitoring", "app.kubernetes.io/name=vmalert")
        assert len(nodes) == 2
        assert hostname not in nodes

    eventually(pods_are_replaced, seconds=SCALE_SECONDS)
    assert_subjects(mails(), down)
    monitored.power(hostname, on=True)
    mails.wait(down, rf"Resolved: The node {hostname} is down\.$", seconds=RESOLVE_SECONDS)
