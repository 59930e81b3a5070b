"""The node of Redis loses its power: the site keeps answering, pods are replaced, and Redis keeps its data.

Afterwards the node is rebuilt with an empty disk, and Redis gets a new volume.

The tests take minutes: Kubernetes marks the node NotReady after one minute, and evicts its pods after another minute.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic

import pytest

from rehearsal.world.world import World
from tests.real.hosts import ADMIN, APEX, API, APP
from tests.real.load import LoadGenerator
from tests.real.test_redis import cli
from tests.rehearsal.cluster import items
from tests.rehearsal.edge_client import EdgeClient
from tests.rehearsal.runbook import blocks
from tests.rehearsal.runbook import run as run_block
from tests.retry import eventually

ALWAYS_AVAILABLE = {API: "/api/tasks/", APEX: "/", APP: "/"}
"""Paths that answer during the outage. admin has a single pod, and pages of web that read from api may reach a dead pod
of api until Kubernetes removes it from the Service."""
AVAILABLE_AFTER_DETECTION = ALWAYS_AVAILABLE | {APP: "/tasks"}
"""Paths that answer once the node is NotReady."""
MINIMUM_REQUESTS = 100
ATTEMPTS = 30
"""Enough requests to reach a dead pod, if one of three pods were dead."""
DETECTION_SECONDS = 120
"""Kubernetes marks a node NotReady one minute after its last heartbeat."""
EVICTION_SECONDS = 180
"""Pods are replaced on other nodes after another `rehearsal.real_nodes.cluster.TOLERATION_SECONDS`."""
BACK_OFF_SECONDS = 420
"""The kubelet waits up to five minutes before it restarts a container that exited several times."""
READY = {"type": "Ready", "status": "True"}

# Longer than all time-outs of a test together.
pytestmark = pytest.mark.timeout(1500)


def nodes_with_ready_pods(world: World, app: str) -> list[str]:
    """The node of each ready pod of the app."""
    return [
        pod["spec"]["nodeName"]
        for pod in items(world, "pods", app)
        if any(READY.items() <= condition.items() for condition in pod["status"].get("conditions", []))
    ]


def health(client: EdgeClient) -> Mapping[str, str]:
    answer = client.get(API, "/api/health/")
    assert answer.status == HTTPStatus.OK
    result: Mapping[str, str] = json.loads(answer.body)
    return result


@dataclass(frozen=True, kw_only=True)
class NodeLoss:
    """The lost node, which runs Redis, and clients of the remaining nodes."""

    hostname: str
    remaining: Sequence[EdgeClient]


@pytest.fixture(scope="module")
def loss(production: World, cloudflare: Sequence[EdgeClient]) -> NodeLoss:
    (hostname,) = {pod["spec"]["nodeName"] for pod in items(production, "pods", "redis")}
    addresses = {
        node["metadata"]["name"]: node["status"]["addresses"][0]["address"]
        for node in production.kubectl_json("get", "nodes")["items"]
    }
    remaining = [client for client in cloudflare if client.address != addresses[hostname]]
    return NodeLoss(hostname=hostname, remaining=remaining)


# The tests below are the steps of one scenario. They depend on their order.
def test_the_site_keeps_answering_when_the_node_of_redis_fails(production: World, loss: NodeLoss) -> None:
    assert cli(production, "redis-cli set survives yes") == "OK"

    def node_is_not_ready() -> None:
        assert loss.hostname not in nodes_with_ready_pods(production, "api")

    with LoadGenerator(loss.remaining, ALWAYS_AVAILABLE) as load:
        production.power(loss.hostname, on=False)
        powered_off_at = monotonic()
        eventually(node_is_not_ready, seconds=DETECTION_SECONDS)
    # Only requests that pods of the node were processing may fail.
    assert [failure for failure in load.failures if failure.sent_at > powered_off_at] == []
    assert load.succeeded > MINIMUM_REQUESTS
    for client in loss.remaining:
        assert health(client)["redis"] == "down"

    def no_request_reaches_a_dead_pod() -> None:
        """kube-proxy on each node removes the endpoints a moment after the API server does."""
        assert {client.get(APP, "/tasks").status for client in [*loss.remaining] * ATTEMPTS} == {HTTPStatus.OK}

    eventually(no_request_reaches_a_dead_pod, seconds=DETECTION_SECONDS)


def test_pods_are_replaced_on_other_nodes_without_a_failed_request(production: World, loss: NodeLoss) -> None:
    def pods_are_replaced() -> None:
        for app, count in (("api", 3), ("web", 3), ("admin", 1)):
            nodes = nodes_with_ready_pods(production, app)
            assert len(nodes) >= count, app
            assert loss.hostname not in nodes, app

    with LoadGenerator(loss.remaining, AVAILABLE_AFTER_DETECTION) as load:
        eventually(pods_are_replaced, seconds=EVICTION_SECONDS)
    assert load.failures == []
    assert load.succeeded > MINIMUM_REQUESTS
    assert loss.remaining[0].get(ADMIN, "/").status == HTTPStatus.OK


def test_redis_keeps_its_data_after_a_node_loss(
    production: World, cloudflare: Sequence[EdgeClient], loss: NodeLoss
) -> None:
    production.power(loss.hostname, on=True)

    def redis_and_worker_are_ready() -> None:
        assert cli(production, "redis-cli get survives") == "yes"
        assert {health(client)["redis"] for client in cloudflare} == {"ok"}
        # worker exits while Redis is down, and the kubelet restarts it with a back-off.
        assert len(nodes_with_ready_pods(production, "worker")) == 1

    eventually(redis_and_worker_are_ready, seconds=BACK_OFF_SECONDS)


def mount_failures(world: World) -> list[str]:
    """The kubelet's messages about the volume of the pod of Redis that exists now."""
    (pod,) = items(world, "pods", "redis")
    return [
        event["message"]
        for event in items(world, "events")
        if (event["reason"], event["involvedObject"].get("uid")) == ("FailedMount", pod["metadata"]["uid"])
    ]


def test_redis_begins_empty_on_a_rebuilt_node_as_the_runbook_describes(production: World, loss: NodeLoss) -> None:
    production.power(loss.hostname, on=True, new_disk=True)

    def the_folder_is_missing() -> None:
        assert any("does not exist" in message for message in mount_failures(production))

    eventually(the_folder_is_missing, seconds=DETECTION_SECONDS)
    production.pulumi("preview", "--expect-no-changes")
    _, *recovery = blocks("runbook.md", "Give redis a new volume")
    for block in recovery:
        run_block(production, block)
    assert nodes_with_ready_pods(production, "redis") == [loss.hostname]
    assert not cli(production, "redis-cli get survives")
    assert cli(production, "redis-cli set survives again") == "OK"
    production.pulumi("preview", "--expect-no-changes")
