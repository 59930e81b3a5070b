"""The site answers clients of Cloudflare: port 443 of every node, the real Traefik, and the stand-ins of the apps."""

import json
import ssl
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus

import pytest

from infra.pods.pod import UNPRIVILEGED
from rehearsal.world.world import World
from tests.real.hosts import ADMIN, APEX, API, APP, OTHER_ADDRESS
from tests.real.network_namespaces import pod_processes
from tests.rehearsal.cluster import items
from tests.rehearsal.edge_client import EdgeClient
from tests.retry import eventually


def test_every_pod_becomes_ready_without_a_restart(production: World) -> None:
    def every_pod_is_ready() -> None:
        pods = production.kubectl_json("get", "pods", "--all-namespaces")["items"]
        running = [pod for pod in pods if pod["status"]["phase"] != "Succeeded"]
        # Three pods each of api, web, Traefik and CoreDNS; one each of admin, worker and redis.
        assert len(running) >= 4 * 3 + 3
        for pod in running:
            for container in pod["status"]["containerStatuses"]:
                assert (container["ready"], container["restartCount"]) == (True, 0), pod["metadata"]["name"]

    # The autoscaler may have added a pod since the up, because the apps use more CPU while they start.
    eventually(every_pod_is_ready)
    (job,) = items(production, "jobs")
    assert job["status"]["succeeded"] == 1


def test_every_node_runs_coredns(production: World) -> None:
    pods = production.kubectl_json("get", "pods", "--namespace=kube-system", "--selector=k8s-app=kube-dns")["items"]
    nodes = production.kubectl_json("get", "nodes")["items"]
    assert {pod["spec"]["nodeName"] for pod in pods} == {node["metadata"]["name"] for node in nodes}


@pytest.mark.parametrize("host", [API, APEX, APP, ADMIN])
def test_every_node_serves_every_host(cloudflare: Sequence[EdgeClient], host: str) -> None:
    for client in cloudflare:
        assert client.get(host, "/api/health/" if host == API else "/").status == HTTPStatus.OK, client.address


@pytest.mark.parametrize("host", [APP, ADMIN])
def test_pages_of_the_frontends_show_data_of_api(cloudflare: Sequence[EdgeClient], host: str) -> None:
    with cloudflare[0].connect(API) as connection:
        task = json.dumps({"title": f"Mow the lawn of {host}"})
        connection.request("POST", "/api/tasks/", body=task, headers={"CF-Connecting-IP": "198.51.100.1"})
        assert connection.getresponse().status == HTTPStatus.CREATED
    assert f"Mow the lawn of {host}" in cloudflare[-1].get(host, "/tasks").body.decode()


def test_worker_takes_jobs_from_redis_and_stores_the_result_in_the_database(cloudflare: Sequence[EdgeClient]) -> None:
    with cloudflare[0].connect(API) as connection:
        connection.request("POST", "/api/jobs/", headers={"CF-Connecting-IP": "198.51.100.1"})
        (job,) = json.loads(connection.getresponse().read()).values()

    def job_is_completed() -> None:
        assert cloudflare[0].get(API, f"/api/jobs/{job}").status == HTTPStatus.OK

    eventually(job_is_completed)


def test_clients_other_than_cloudflare_are_refused(cloudflare: Sequence[EdgeClient]) -> None:
    for client in cloudflare:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            replace(client, certificate=None).get(API, "/api/health/")
        assert replace(client, source=OTHER_ADDRESS).get(API, "/api/health/").status == HTTPStatus.FORBIDDEN


def test_the_apps_run_as_the_user_of_their_pod_spec(production: World) -> None:
    for pod in (pod for app in ("api", "worker", "admin", "web") for pod in items(production, "pods", app)):
        assert {process.uids().real for process in pod_processes(pod["metadata"]["uid"])} == {UNPRIVILEGED}
