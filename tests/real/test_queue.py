"""No queued job is lost when the node of redis is replaced, or when redis moves to another node.

The commands are those of docs/runbook.md.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

import pytest

from rehearsal.world.world import World
from tests.real.hosts import API
from tests.real.test_redis import cli
from tests.rehearsal.cluster import NAMESPACE, items
from tests.rehearsal.edge_client import EdgeClient
from tests.rehearsal.runbook import blocks, run
from tests.retry import eventually

HEADING = "Replace or move the node of redis"
JOBS = 30
START_SECONDS = 300
"""Pods that exited while redis was stopped are restarted with a back-off."""
PENDING = "redis-cli llen 'asynq:{default}:pending'"

# Longer than all time-outs of a test together.
pytestmark = [pytest.mark.durability, pytest.mark.timeout(1200)]


def node_of_redis(world: World) -> str:
    (pod,) = (pod for pod in items(world, "pods", "redis") if "deletionTimestamp" not in pod["metadata"])
    return str(pod["spec"]["nodeName"])


def enqueue(world: World, client: EdgeClient) -> Sequence[str]:
    """Jobs that wait in the queue, because worker is stopped."""
    world.kubectl("scale", "-n", NAMESPACE, "deployment/worker", "--replicas=0")
    world.kubectl("wait", "-n", NAMESPACE, "pod", "-l", "app.kubernetes.io/name=worker", "--for=delete")
    jobs: list[str] = []
    with client.connect(API) as connection:
        for _ in range(JOBS):
            connection.request("POST", "/api/jobs/", headers={"CF-Connecting-IP": "198.51.100.1"})
            response = connection.getresponse()
            assert response.status == HTTPStatus.ACCEPTED
            jobs += json.loads(response.read()).values()
    assert int(cli(world, PENDING)) == len(set(jobs)) == JOBS
    return jobs


def run_all(world: World, variables: Mapping[str, str], *numbers: int) -> str:
    """Runs the blocks of the section with these numbers. Returns their output."""
    section = blocks("runbook.md", HEADING)
    assert len(section) == 4
    return "".join(run(world, section[number], variables) for number in numbers)


def assert_executed(client: EdgeClient, jobs: Sequence[str]) -> None:
    def each_has_its_row() -> None:
        assert [job for job in jobs if client.get(API, f"/api/jobs/{job}").status != HTTPStatus.OK] == []

    eventually(each_has_its_row, seconds=START_SECONDS)


def test_no_queued_job_is_lost_when_the_node_is_replaced(
    production: World, cloudflare: Sequence[EdgeClient], tmp_path: Path
) -> None:
    node, variables = node_of_redis(production), {"FILE": str(tmp_path / "redis.rdb")}
    client = next(client for client in cloudflare if client.get(API, "/api/health/").status == HTTPStatus.OK)
    jobs = enqueue(production, client)
    assert f"Saved {JOBS} jobs (default pending {JOBS})" in run_all(production, variables, 0)
    assert (tmp_path / "redis.rdb").stat().st_mode & 0o077 == 0
    assert items(production, "pods", "redis") == []
    production.power(node, on=True, new_disk=True)
    assert f"Restored {JOBS} jobs (default pending {JOBS})" in run_all(production, variables, 2, 3)
    assert_executed(client, jobs)
    assert node_of_redis(production) == node
    production.pulumi("preview", "--expect-no-changes")


def test_no_queued_job_is_lost_when_redis_moves(
    production: World, cloudflare: Sequence[EdgeClient], tmp_path: Path
) -> None:
    node = node_of_redis(production)
    names = [item["metadata"]["name"] for item in production.kubectl_json("get", "nodes")["items"]]
    other = next(name for name in names if name != node)
    jobs = enqueue(production, cloudflare[0])
    output = run_all(production, {"FILE": str(tmp_path / "redis.rdb"), "NODE": other}, 0, 1, 2, 3)
    assert f"redis runs on node {other}" in output
    assert_executed(cloudflare[0], jobs)
    assert node_of_redis(production) == other
    production.pulumi("preview", "--expect-no-changes")
