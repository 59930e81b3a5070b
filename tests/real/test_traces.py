"""Traces of api and worker arrive at the collector, only with the password, and no request waits for them."""

import time
import uuid
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import pytest

from infra.apps.traces import authorization
from infra.settings.traces import conflicting_variables
from ops import stackfile
from rehearsal.engine.configuration import read_stack_settings
from rehearsal.external.trace_collector import Span, TraceCollector
from rehearsal.real_nodes.cluster_config import trace_collector
from rehearsal.traefik import daemonset
from rehearsal.traefik.chart import chart_values
from rehearsal.world.world import World
from tests.real.conftest import edge_clients
from tests.real.hosts import API
from tests.real.monitoring import readable_objects
from tests.rehearsal.edge_client import EdgeClient
from tests.rehearsal.operator import editable_copy
from tests.retry import eventually

SETTINGS = {"url": "https://traces.example.com/otlp", "username": "cluster"}
ARRIVAL_SECONDS = 60
"""An SDK sends its spans after 5 s."""
SLOWEST_SECONDS = 2.0
"""The longest response time of a request on a busy machine, below the 10 s after which an export times out."""
REQUESTS = 50
PODS = "app.kubernetes.io/name=api"
"""The selector of the pods of api."""


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world after `pulumi up`, with Traefik and traces."""
    folder = tmp_path_factory.mktemp("worlds")
    project = folder / "project"
    project.mkdir()
    editable_copy(project)
    settings = project / "Pulumi.prod.yaml"
    environment = dict(stackfile.load(settings)["config"]["honeydue:environment"])
    for name in conflicting_variables(environment):
        del environment[name]
    stackfile.set_value(settings, "honeydue:environment", environment)
    stackfile.set_value(settings, "honeydue:traces", SETTINGS)
    with World(folder / "traced", project=project, real_nodes=True) as world:
        world.pulumi("up", "--yes", "--skip-preview")
        daemonset.install(world.kubectl_client(), chart_values(world.kubectl_client()))
        yield world


@pytest.fixture(scope="module")
def visitors(traced: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[EdgeClient]]:
    with edge_clients(traced, tmp_path_factory.mktemp("visitors")) as clients:
        yield clients


@pytest.fixture(scope="module")
def collector(traced: World) -> TraceCollector:
    server = trace_collector(traced.layout, read_stack_settings(traced.settings_file))
    assert server is not None
    return server


def request(visitor: EdgeClient) -> str:
    """Requests a path that no other request has, and returns it."""
    path = f"/api/jobs/{uuid.uuid4()}"
    assert visitor.get(API, path).status == HTTPStatus.NOT_FOUND
    return path


def spans_of(collector: TraceCollector, path: str) -> Sequence[Span]:
    return [span for span in collector.spans("api", **{"url.path": path}) if span.service == "api"]


def wait_for_span(collector: TraceCollector, path: str) -> Span:
    """The span of the request, after it arrived."""

    def the_span_arrived() -> Span:
        spans = spans_of(collector, path)
        assert len(spans) == 1, spans
        return spans[0]

    return eventually(the_span_arrived, seconds=ARRIVAL_SECONDS)


def test_a_request_through_the_edge_is_a_span_with_its_service_and_release(
    traced: World, collector: TraceCollector, visitors: Sequence[EdgeClient]
) -> None:
    stack = read_stack_settings(traced.settings_file)
    span = wait_for_span(collector, request(visitors[0]))
    assert (span.service, span.operation) == ("api", "GET /api/jobs/{id}")
    assert span.resource["service.version"] == stack.images.api
    assert span.resource["k8s.cluster.name"] == stack.domain


def test_a_job_of_worker_belongs_to_the_trace_of_its_request(
    traced: World, collector: TraceCollector, visitors: Sequence[EdgeClient]
) -> None:
    with visitors[0].connect(API) as connection:
        connection.request("POST", "/api/jobs/")
        assert connection.getresponse().status == HTTPStatus.ACCEPTED

    def the_trace_has_both() -> None:
        spans = collector.spans("worker")
        assert [span.service for span in spans].count("worker") == 1
        assert {span.service for span in spans} == {"api", "worker"}
        (job,) = (span for span in spans if span.service == "worker")
        assert job.operation == "record"
        assert job.resource["service.version"] == read_stack_settings(traced.settings_file).images.worker

    eventually(the_trace_has_both, seconds=ARRIVAL_SECONDS)


def test_the_password_is_only_in_secrets(traced: World, collector: TraceCollector) -> None:
    header = authorization(collector.settings.username, collector.password)
    objects = readable_objects(traced)
    assert "OTEL_SERVICE_NAME" in objects
    assert collector.password not in objects
    assert header.partition("=")[2] not in objects


def test_an_outage_of_the_collector_does_not_slow_a_request(
    collector: TraceCollector, visitors: Sequence[EdgeClient]
) -> None:
    collector.stop()
    try:
        for _ in range(REQUESTS):
            start = time.monotonic()
            request(visitors[0])
            assert time.monotonic() - start < SLOWEST_SECONDS
    finally:
        collector.start()
    # The pods were not restarted, and send again.
    wait_for_span(collector, request(visitors[0]))


def test_with_a_wrong_password_no_span_arrives_and_the_app_serves(
    traced: World, collector: TraceCollector, visitors: Sequence[EdgeClient]
) -> None:
    traced.pulumi("config", "set", "--secret", "honeydue:tracesPassword", "rehearsal-wrong")
    traced.pulumi("up", "--yes", "--skip-preview")

    def no_old_pod_serves() -> None:
        pods = traced.kubectl_json("get", "pods", "--namespace=honeydue", f"--selector={PODS}")["items"]
        assert pods
        assert [pod for pod in pods if "deletionTimestamp" in pod["metadata"]] == []

    eventually(no_old_pod_serves, seconds=ARRIVAL_SECONDS)
    paths = [request(visitor) for visitor in visitors]

    def the_collector_rejected_them() -> None:
        logs = traced.kubectl("logs", "--namespace=honeydue", f"--selector={PODS}", "--tail=-1")
        assert "OpenTelemetry" in logs
        assert "401" in logs

    eventually(the_collector_rejected_them, seconds=ARRIVAL_SECONDS)
    assert [path for path in paths if spans_of(collector, path)] == []
    assert visitors[0].get(API, "/api/health/").status == HTTPStatus.OK
