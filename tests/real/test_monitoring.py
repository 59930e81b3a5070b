"""The metrics of every scrape job arrive, no secret does, monitoring stays small, and an alert becomes a mail.

`make monitoring` runs the test of the mail, and those that take longer (test_alerts.py).
"""

import re
from collections.abc import Sequence

import pytest

from rehearsal.engine.placeholders import placeholder
from rehearsal.external.mail_server import MailServer
from rehearsal.external.metrics_database import MetricsDatabase
from rehearsal.real_nodes.machine import Machine
from rehearsal.world.world import World
from tests.real import monitoring
from tests.real.monitoring import NAMESPACES, SECRETS, by_node
from tests.real.network_namespaces import pod_processes
from tests.real.test_redis import VALUE_BYTES, cli
from tests.real.test_redis import config as redis_config
from tests.rehearsal.edge_client import EdgeClient
from tests.retry import eventually
from tests.rules.unit_tests import rules
from tests.unit.flips import example

ARRIVAL_SECONDS = 120
"""From the first scrape to the first result: the longest interval of a job is 30 s, and vmagent and VictoriaMetrics
hold samples back for some seconds."""
MAIL_SECONDS = 300
"""vmalert waits for late samples, evaluates once a minute, and the alert must stay true for a minute."""
MEMORY_BYTES, CPU_CORES = 600 * 2**20, 0.2
"""The most that all of monitoring may use on a node."""
CONTAINERS = f'{{namespace=~"{"|".join(NAMESPACES)}",container!=""}}'
EVICTED = r"CRITICAL: redis is full and evicted"


@pytest.fixture(scope="module")
def obs(monitored: World) -> MetricsDatabase:
    return monitoring.obs(monitored)


@pytest.fixture(scope="module")
def mailbox(monitored: World) -> MailServer:
    return monitoring.mailbox(monitored)


@pytest.fixture
def _full_redis(monitored: World, obs: MetricsDatabase) -> None:
    """Fills redis until it evicts keys."""

    def evictions_are_measured() -> None:
        assert [sample.value for sample in obs.query("redis_evicted_keys_total")] == [0]

    # A counter is only seen to increase after its first value arrived.
    eventually(evictions_are_measured, seconds=ARRIVAL_SECONDS)
    count = int(redis_config(monitored, "maxmemory")) * 3 // 2 // VALUE_BYTES
    benchmark = f'redis-benchmark -a "$REDIS_PASSWORD" -q -t set -n {count} -r 100000000 -d {VALUE_BYTES} -P 16'
    cli(monitored, f"{benchmark} >/dev/null")


def test_every_target_of_every_job_is_up(monitored: World, obs: MetricsDatabase) -> None:
    jobs = monitoring.scrape_jobs(monitored)
    assert {"traefik", "api", "kubelet", "cadvisor", "kube-state-metrics", "redis-exporter"} <= {
        job.name for job in jobs
    }

    def every_target_is_up() -> None:
        up = {job.name: by_node(obs.query(f'min(up{{job="{job.name}"}}) by (node)')) for job in jobs}
        assert up == {job.name: dict.fromkeys(job.nodes, 1) for job in jobs}
        scraped = obs.query('count({job!="",__name__!~"up|scrape_.+|ALERTS.*"}) by (job)')
        assert {sample.labels["job"] for sample in scraped} >= set(up)

    eventually(every_target_is_up, seconds=ARRIVAL_SECONDS)


def test_every_series_has_the_labels_of_its_cluster_and_node(obs: MetricsDatabase) -> None:
    (cluster,) = {sample.labels.get("cluster") for sample in obs.query('group({job!=""}) by (cluster)')}
    assert cluster == "myhoneydue.com"
    assert obs.query('{job!="",alertname="",node=""}') == []


def test_every_series_of_a_rule_exists(obs: MetricsDatabase, visitors: Sequence[EdgeClient]) -> None:
    """A rule whose series has another name never fires."""
    # Traefik has no series of requests before the first one.
    assert visitors
    expected = {name for rule in rules(example(monitoring.SETTINGS)) for name in rule.series}
    assert len(expected) > 20

    def every_series_exists() -> None:
        stored = obs.query('group({__name__!=""}) by (__name__)')
        assert expected - {sample.labels["__name__"] for sample in stored} == set()

    eventually(every_series_exists, seconds=ARRIVAL_SECONDS)


def test_monitoring_uses_little_memory_and_cpu_on_every_node(monitored: World, obs: MetricsDatabase) -> None:
    nodes = {node["metadata"]["name"] for node in monitored.kubectl_json("get", "nodes")["items"]}

    def usage_is_small() -> None:
        memory = by_node(obs.query(f"sum(container_memory_working_set_bytes{CONTAINERS}) by (node)"))
        cpu = by_node(obs.query(f"sum(rate(container_cpu_usage_seconds_total{CONTAINERS}[1m])) by (node)"))
        assert memory.keys() == cpu.keys() == nodes
        print({node: (f"{memory[node] / 2**20:.0f} MiB", f"{cpu[node]:.3f} CPU") for node in nodes})
        assert max(memory.values()) < MEMORY_BYTES, memory
        assert max(cpu.values()) < CPU_CORES, cpu

    # Until a minute after the start of the pods, the rate contains it.
    eventually(usage_is_small, seconds=ARRIVAL_SECONDS)


@pytest.mark.monitoring
@pytest.mark.usefixtures("_full_redis")
def test_full_redis_sends_one_mail(mailbox: MailServer) -> None:
    def one_mail_arrived() -> None:
        monitoring.assert_subjects(monitoring.rehearsed(mailbox.mails()), EVICTED)

    eventually(one_mail_arrived, seconds=MAIL_SECONDS)
    (mail,) = monitoring.rehearsed(mailbox.mails())
    assert mail.recipients == ["adminemail@rehearsal.invalid"]
    assert "alertname: RedisEvictsKeys" in mail.text
    assert "docs/runbook.md#redis-is-full" in mail.text


def test_secrets_are_only_in_secrets(monitored: World, obs: MetricsDatabase, mailbox: MailServer) -> None:
    pods = [
        pod
        for namespace in NAMESPACES
        for pod in monitored.kubectl_json("get", "pods", f"--namespace={namespace}")["items"]
    ]
    nodes = {pod["spec"]["nodeName"] for pod in pods}
    logs = [
        log
        for node in nodes
        for log in (Machine(layout=monitored.layout, hostname=node).root / "var/log/pods").glob("*/*/*.log")
        if log.parts[-3].startswith(NAMESPACES)
    ]
    assert logs
    places = {
        "objects": monitoring.readable_objects(monitored),
        "arguments": str([process.cmdline() for pod in pods for process in pod_processes(pod["metadata"]["uid"])]),
        "logs": "".join(log.read_text() for log in logs),
        "series": str(obs.query('{__name__!=""}')),
        "mails": str(mailbox.mails()),
    }
    for key in SECRETS:
        secret = str(placeholder(key, monitored.layout.pki))
        assert secret.startswith(f"rehearsal-{key}")
        # A part of it is a leak, too.
        assert [name for name, text in places.items() if re.search(re.escape(secret[:-8]), text)] == []
