"""The records of a node are created after its server, and only when the node and its Traefik pod are Ready."""

import asyncio
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from threading import Event, Thread
from typing import Any

import pytest

from infra.cluster import serving
from infra.cluster.serving import NotServingError, RefusedRecordError, check_serving, wait_until_serving
from infra.threads import in_thread
from tests.unit.capture import Capture
from tests.unit.kubernetes_api import CONTEXT, Response, Responses, api_server, kubeconfig
from tests.unit.registrations import dependencies_of

NODE = "server-4"
NODES = f"/api/v1/nodes/{NODE}"
PODS = f"/api/v1/namespaces/kube-system/pods?fieldSelector=spec.nodeName={NODE}&labelSelector={serving.TRAEFIK_PODS}"
READY = {"conditions": [{"type": "Ready", "status": "True"}]}
NOT_READY = {"conditions": [{"type": "Ready", "status": "False"}]}


def node(status: Mapping[str, Any]) -> Response:
    return HTTPStatus.OK, {"metadata": {"name": NODE}, "status": status}


def pods(*statuses: Mapping[str, Any], **metadata: str) -> Response:
    items = [{"metadata": metadata, "spec": {"containers": []}, "status": status} for status in statuses]
    return HTTPStatus.OK, {"items": items}


def test_records_depend_on_the_servers_and_on_traefik_and_wait_for_their_node(program: Capture) -> None:
    urns = {server.urn for server in program.resources("Server")}
    urns |= {config.urn for config in program.resources("HelmChartConfig")}
    records = program.resources("DnsRecord")
    for record in records:
        assert urns <= dependencies_of(program, record), record.name
    hooks = {(record.name.partition("-")[2], tuple(record.request.hooks.before_create)) for record in records}
    assert hooks == {(alias, (f"node-serves-{alias}",)) for alias in program.settings["honeydue:nodes"]}


def test_servers_and_traefik_do_not_depend_on_records(program: Capture) -> None:
    records = {record.urn for record in program.resources("DnsRecord")}
    for kind in ("Server", "Firewall", "HelmChartConfig", "Deployment", "Ingress"):
        for resource in program.resources(kind):
            assert not records & dependencies_of(program, resource), resource.urn


def test_a_ready_node_with_a_ready_traefik_pod_serves() -> None:
    with api_server({NODES: node(READY), PODS: pods(NOT_READY, READY)}) as config:
        check_serving(NODE, kubeconfig=config, context=CONTEXT)


@pytest.mark.parametrize(
    ("responses", "problem"),
    [
        ({NODES: (HTTPStatus.NOT_FOUND, {}), PODS: pods(READY)}, "it has not joined"),
        ({NODES: node(NOT_READY), PODS: pods(READY)}, "it is not Ready"),
        ({NODES: node({}), PODS: pods(READY)}, "it is not Ready"),
        ({NODES: node(READY), PODS: pods()}, "no Traefik pod that is Ready"),
        ({NODES: node(READY), PODS: pods(NOT_READY)}, "no Traefik pod that is Ready"),
        (
            {NODES: node(READY), PODS: pods(READY, deletionTimestamp="2026-01-01T00:00:00Z")},
            "no Traefik pod that is Ready",
        ),
        ({NODES: (HTTPStatus.SERVICE_UNAVAILABLE, {}), PODS: pods(READY)}, "the API server returned 503"),
    ],
)
def test_a_node_that_does_not_serve_yet(responses: Responses, problem: str) -> None:
    with api_server(responses) as config, pytest.raises(NotServingError, match=problem):
        check_serving(NODE, kubeconfig=config, context=CONTEXT)


def test_an_api_server_that_does_not_answer_is_asked_again() -> None:
    with api_server({}) as config:
        pass
    with pytest.raises(NotServingError, match="the API server cannot be reached"):
        check_serving(NODE, kubeconfig=config, context=CONTEXT)


def test_a_failed_connection_is_reported_at_once_and_not_repeated() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        connections: list[socket.socket] = []

        def close_connections() -> None:
            with suppress(OSError):
                while True:
                    connections.append(server.accept()[0])
                    connections[-1].close()

        Thread(target=close_connections, daemon=True).start()
        with pytest.raises(NotServingError, match="the API server cannot be reached"):
            check_serving(NODE, kubeconfig=kubeconfig(server.getsockname()[1]), context=CONTEXT)
        # Ends the thread, which waits in `accept`.
        server.shutdown(socket.SHUT_RDWR)
        assert len(connections) == 1


def test_an_error_of_tls_is_reported_as_such() -> None:
    with (
        api_server({}) as config,
        pytest.raises(NotServingError, match=r"the API server cannot be reached \(SSLError\)"),
    ):
        check_serving(NODE, kubeconfig=config.replace("http:", "https:"), context=CONTEXT)


def test_an_account_without_permission_is_refused_at_once() -> None:
    with (
        api_server({NODES: (HTTPStatus.FORBIDDEN, {}), PODS: pods(READY)}) as config,
        pytest.raises(RefusedRecordError, match="use an administrator's"),
    ):
        asyncio.run(wait_until_serving(NODE, kubeconfig=config, context=CONTEXT))


def test_it_waits_until_the_node_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "RETRY_SECONDS", 0.05)
    messages: list[str] = []
    monkeypatch.setattr("pulumi.log.info", messages.append)
    responses: Responses = {NODES: node(NOT_READY), PODS: pods(READY)}

    async def become_ready(config: str) -> None:
        waiting = asyncio.create_task(wait_until_serving(NODE, kubeconfig=config, context=CONTEXT))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        responses[NODES] = node(READY)
        await waiting

    with api_server(responses) as config:
        asyncio.run(become_ready(config))
    assert messages == [f"Waiting for node {NODE}, before its DNS records are created"]


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(serving, "FIRST_BOOT_SECONDS", 0.1)
    monkeypatch.setattr("pulumi.log.info", lambda _: None)
    with (
        api_server({NODES: node(READY), PODS: pods()}) as config,
        pytest.raises(RefusedRecordError, match=f"node {NODE} does not serve .*: it has no Traefik pod.*describe node"),
    ):
        asyncio.run(wait_until_serving(NODE, kubeconfig=config, context=CONTEXT))


def test_a_hook_needs_none_of_the_threads_that_wait_for_the_engine() -> None:
    registered = Event()

    async def register_and_run_the_hook() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(max_workers=1))
        registration = loop.run_in_executor(None, registered.wait)
        await asyncio.wait_for(in_thread(registered.set), timeout=30)
        await registration

    asyncio.run(register_and_run_the_hook())
