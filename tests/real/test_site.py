"""The site as visitors reach it: over Cloudflare's certificate, a node's port 443 and the real Traefik, to apps that work."""

import json
import ssl
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus

import pytest

from infra.apps.pod import UNPRIVILEGED
from rehearsal.world.world import World
from tests.real.cloudflare import ADMIN, APEX, API, APP, STRANGER
from tests.real.inside import processes
from tests.real.patience import patiently
from tests.rehearsal.cluster import items
from tests.rehearsal.edge import Caller


def test_everything_runs_and_nothing_had_to_be_started_twice(production: World) -> None:
    found = production.kubectl_json("get", "pods", "--all-namespaces")["items"]
    running = [one for one in found if one["status"]["phase"] != "Succeeded"]
    # api, web, Traefik and CoreDNS by three, and admin, worker, redis.
    assert len(running) >= 4 * 3 + 3
    for pod in running:
        for container in pod["status"]["containerStatuses"]:
            assert (container["ready"], container["restartCount"]) == (True, 0), pod["metadata"]["name"]
    (job,) = items(production, "jobs")
    assert job["status"]["succeeded"] == 1


def test_names_are_found_without_any_one_node(production: World) -> None:
    answering = production.kubectl_json("get", "pods", "--namespace=kube-system", "--selector=k8s-app=kube-dns")[
        "items"
    ]
    nodes = production.kubectl_json("get", "nodes")["items"]
    assert {one["spec"]["nodeName"] for one in answering} == {one["metadata"]["name"] for one in nodes}


@pytest.mark.parametrize("host", [API, APEX, APP, ADMIN])
def test_every_name_is_served_by_every_node(cloudflare: Sequence[Caller], host: str) -> None:
    for caller in cloudflare:
        assert caller.get(host, "/api/health/" if host == API else "/").status == HTTPStatus.OK, caller.address


@pytest.mark.parametrize("host", [APP, ADMIN])
def test_a_page_shows_what_its_server_fetched_from_api(cloudflare: Sequence[Caller], host: str) -> None:
    with cloudflare[0].connect(API) as connection:
        task = json.dumps({"title": f"Mow the lawn of {host}"})
        connection.request("POST", "/api/tasks/", body=task, headers={"CF-Connecting-IP": "198.51.100.1"})
        assert connection.getresponse().status == HTTPStatus.CREATED
    assert f"Mow the lawn of {host}" in cloudflare[-1].get(host, "/tasks").body.decode()


def test_a_job_goes_through_redis_to_worker_and_into_the_database(cloudflare: Sequence[Caller]) -> None:
    with cloudflare[0].connect(API) as connection:
        connection.request("POST", "/api/jobs/", headers={"CF-Connecting-IP": "198.51.100.1"})
        (job,) = json.loads(connection.getresponse().read()).values()

    def done() -> None:
        assert cloudflare[0].get(API, f"/api/jobs/{job}").status == HTTPStatus.OK

    patiently(done)


def test_nobody_else_is_served(cloudflare: Sequence[Caller]) -> None:
    for caller in cloudflare:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            replace(caller, certificate=None).get(API, "/api/health/")
        assert replace(caller, source=STRANGER).get(API, "/api/health/").status == HTTPStatus.FORBIDDEN


def test_the_apps_run_as_the_user_they_are_given(production: World) -> None:
    for pod in (one for app in ("api", "worker", "admin", "web") for one in items(production, "pods", app)):
        assert {process.uids().real for process in processes(pod["metadata"]["uid"])} == {UNPRIVILEGED}
