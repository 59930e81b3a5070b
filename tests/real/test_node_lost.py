"""The node with redis loses its power: the site answers, what is lost is told, pods come back elsewhere, and redis with its data.

It takes minutes: one until Kubernetes calls the node not ready, and another one until it evicts the node's pods.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic

import pytest

from rehearsal.world.world import World
from tests.real.cloudflare import ADMIN, APEX, API, APP
from tests.real.patience import patiently
from tests.real.test_redis import cli
from tests.real.visitors import Visitors
from tests.rehearsal.cluster import items
from tests.rehearsal.edge import Caller

MEANWHILE = {API: "/api/tasks/", APEX: "/", APP: "/"}
"""What is answered at any moment. admin has one pod, and what web's server asks api for may meet a dead one until that is noticed."""
NOTICED = MEANWHILE | {APP: "/tasks"}
"""What is answered from then on."""
ASKED = 100
OFTEN = 30
"""Requests that would meet a dead pod, if one in three were."""
NOTICED_SECONDS = 120
"""A minute without a word, and Kubernetes calls a node not ready."""
GIVEN_UP_SECONDS = 180
"""After `rehearsal.real_nodes.cluster.TOLERATION_SECONDS` more, its pods are made anew elsewhere."""
BACK_OFF_SECONDS = 420
"""A container that ended often is started again after up to five minutes."""
READY = {"type": "Ready", "status": "True"}

# The sum of what is waited for, where nothing is as quick as it usually is.
pytestmark = pytest.mark.timeout(1500)


def ready(world: World, app: str) -> list[str]:
    """The nodes on which a pod of the app is ready."""
    return [
        one["spec"]["nodeName"]
        for one in items(world, "pods", app)
        if any(READY.items() <= condition.items() for condition in one["status"].get("conditions", []))
    ]


def health(caller: Caller) -> Mapping[str, str]:
    answer = caller.get(API, "/api/health/")
    assert answer.status == HTTPStatus.OK
    found: Mapping[str, str] = json.loads(answer.body)
    return found


@dataclass(frozen=True, kw_only=True)
class Loss:
    """The node that has redis, and those through which visitors still come."""

    hostname: str
    left: Sequence[Caller]


@pytest.fixture(scope="module")
def loss(production: World, cloudflare: Sequence[Caller]) -> Loss:
    (lost,) = {one["spec"]["nodeName"] for one in items(production, "pods", "redis")}
    addresses = {
        one["metadata"]["name"]: one["status"]["addresses"][0]["address"]
        for one in production.kubectl_json("get", "nodes")["items"]
    }
    return Loss(hostname=lost, left=[caller for caller in cloudflare if caller.address != addresses[lost]])


# The tests below are the steps of one loss, in their order.
def test_the_site_answers_without_the_node_that_has_redis(production: World, loss: Loss) -> None:
    assert cli(production, "redis-cli set survives yes") == "OK"

    def noticed() -> None:
        assert loss.hostname not in ready(production, "api")

    with Visitors(loss.left, MEANWHILE) as visitors:
        production.power(loss.hostname, on=False)
        dead = monotonic()
        patiently(noticed, seconds=NOTICED_SECONDS)
    # What the node was at work on when it died is lost, and nothing else.
    assert [one for one in visitors.failures if one.asked > dead] == []
    assert visitors.answered > ASKED
    for caller in loss.left:
        assert health(caller)["redis"] == "down"

    def heard() -> None:
        """By kube-proxy on each node, a moment after the API server."""
        assert {caller.get(APP, "/tasks").status for caller in [*loss.left] * OFTEN} == {HTTPStatus.OK}

    patiently(heard, seconds=NOTICED_SECONDS)


def test_its_pods_are_made_anew_elsewhere_and_no_request_is_lost_meanwhile(production: World, loss: Loss) -> None:
    def elsewhere() -> None:
        for app, count in (("api", 3), ("web", 3), ("admin", 1)):
            found = ready(production, app)
            assert len(found) >= count, app
            assert loss.hostname not in found, app

    with Visitors(loss.left, NOTICED) as visitors:
        patiently(elsewhere, seconds=GIVEN_UP_SECONDS)
    assert visitors.failures == []
    assert visitors.answered > ASKED
    assert loss.left[0].get(ADMIN, "/").status == HTTPStatus.OK


def test_redis_has_its_data_again_when_its_node_is_back(
    production: World, cloudflare: Sequence[Caller], loss: Loss
) -> None:
    production.power(loss.hostname, on=True)

    def back() -> None:
        assert cli(production, "redis-cli get survives") == "yes"
        assert {health(caller)["redis"] for caller in cloudflare} == {"ok"}
        # It ends while there is no redis, and is started again and again.
        assert len(ready(production, "worker")) == 1

    patiently(back, seconds=BACK_OFF_SECONDS)
