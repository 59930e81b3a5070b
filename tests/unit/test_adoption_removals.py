"""Adoption lists what the next `up` removes from existing objects, and the routes that are no longer served."""

from collections.abc import Sequence
from io import StringIO
from typing import Any

import pytest
import yaml
from rich.console import Console

from ops.adoption.removed_fields import removed_fields
from ops.adoption.report import changed_traces
from ops.adoption.routes import routes_elsewhere
from ops.adoption.traces import changed_variables
from ops.kubernetes import Cluster, Object

STACK = "urn:pulumi:prod::honeydue::"


def event(kind: str, old: Any, new: Any, *, op: str = "update") -> Any:
    states = {name: {"outputs": {"kind": kind, **content}} for name, content in (("old", old), ("new", new))}
    return {"resOutputsEvent": {"metadata": {"op": op, "urn": f"{STACK}kubernetes:v1:{kind}::x", **states}}}


def test_removed_annotations_are_listed_without_those_of_tools() -> None:
    kubectl = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    old = {"metadata": {"annotations": {"prometheus.io/scrape": "true", "kept": "1", **kubectl}}}
    new = {"metadata": {"annotations": {"kept": "2"}}}
    assert list(removed_fields([event("Service", old, new)])) == ["Service::x: annotation prometheus.io/scrape"]


def test_removed_ports_of_a_service_are_listed() -> None:
    old, new = ({"spec": {"ports": [{"port": port} for port in ports]}} for ports in ((8000, 9000), (8000,)))
    assert list(removed_fields([event("Service", old, new)])) == ["Service::x: port 9000"]


def test_removed_variables_are_listed_without_their_values() -> None:
    def deployment(**variables: str) -> Any:
        env = [{"name": name, "value": value} for name, value in variables.items()]
        return {"spec": {"template": {"spec": {"containers": [{"name": "api", "env": env}]}}}}

    (line,) = removed_fields([event("Deployment", deployment(A="1", TRACE="secret"), deployment(A="2"))])
    assert line == "Deployment::x: variable TRACE"


def test_removed_chart_values_of_traefik_are_listed() -> None:
    def config(values: Any) -> Any:
        return {"spec": {"valuesContent": yaml.safe_dump(values)}}

    old = config({"certResolvers": {"le": {"acme": {}}}, "ports": {"websecure": {"port": 443, "hostPort": 443}}})
    new = config({"ports": {"websecure": {"port": 443}}})
    (line,) = removed_fields([event("HelmChartConfig", old, new)])
    assert line == (
        "HelmChartConfig::x: chart value certResolvers, chart value certResolvers.le, "
        "chart value certResolvers.le.acme, chart value ports.websecure.hostPort"
    )


@pytest.mark.parametrize("values", ["ports: {web: ", "a: b: c", "\tports: 1", "just text", ""])
def test_chart_values_that_are_no_yaml_lose_nothing(values: str) -> None:
    old, new = ({"spec": {"valuesContent": text}} for text in (values, "ports: {}"))
    assert list(removed_fields([event("HelmChartConfig", old, new)])) == []


def test_an_object_that_keeps_everything_is_not_listed() -> None:
    content = {"metadata": {"annotations": {"a": "1"}}}
    events = [event("Service", content, content), event("Service", content, {}, op="same"), {"diagnosticEvent": {}}]
    assert list(removed_fields(events)) == []


class FakeCluster(Cluster):
    """A cluster with these objects."""

    def __init__(self, *objects: Object) -> None:
        self._objects = objects

    def list_everywhere(self, api_version: str, kind: str) -> Sequence[Object]:
        return [item for item in self._objects if (item["apiVersion"], item["kind"]) == (api_version, kind)]


def route(kind: str, version: str, namespace: str, **spec: object) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"namespace": namespace, "name": "site"}, "spec": spec}


def test_routes_of_traefik_in_other_namespaces_are_listed() -> None:
    cluster = FakeCluster(
        route("Ingress", "networking.k8s.io/v1", "honeydue"),
        route("Ingress", "networking.k8s.io/v1", "monitoring"),
        route("Ingress", "networking.k8s.io/v1", "internal", ingressClassName="nginx"),
        route("IngressRoute", "traefik.io/v1alpha1", "default"),
    )
    assert list(routes_elsewhere(cluster)) == ["Ingress monitoring/site", "IngressRoute default/site"]


def otel_events() -> list[Any]:
    """The update of a Deployment, a ConfigMap and a Secret with variables of OpenTelemetry that were set by hand."""

    def deployment(**variables: str) -> Any:
        env = [{"name": name, "value": value} for name, value in variables.items()]
        return {"spec": {"template": {"spec": {"containers": [{"name": "api", "env": env}]}}}}

    old = deployment(
        OTEL_SERVICE_NAME="honeydue-api",
        OTEL_EXPORTER_OTLP_HEADERS="Authorization=Basic%20c2VjcmV0",
        OTEL_EXPORTER_OTLP_METRICS_HEADERS="Authorization=Basic%20c2VjcmV0",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="https://me:secret@obs.example.com",
        OTHER="1",
    )
    data = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://obs.example.com", "OTEL_SDK_DISABLED": "false"}
    kept = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://obs.example.com"}
    return [
        event("Deployment", old, deployment(OTEL_SERVICE_NAME="api")),
        event("ConfigMap", {"data": data}, {"data": kept}),
        event("Secret", {"data": {"OTEL_EXPORTER_OTLP_HEADERS": "c2VjcmV0", "A": "1"}}, {"data": {"A": "2"}}),
        event("Deployment", {}, deployment(OTEL_SERVICE_NAME="api")),
        event("ConfigMap", {"data": data}, {}, op="same"),
    ]


def test_variables_of_opentelemetry_are_listed_with_the_values_that_are_no_secret() -> None:
    lines = list(changed_variables(otel_events()))
    assert lines == [
        "Deployment::x: OTEL_EXPORTER_OTLP_HEADERS",
        "Deployment::x: OTEL_EXPORTER_OTLP_METRICS_HEADERS",
        "Deployment::x: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "Deployment::x: OTEL_SERVICE_NAME is honeydue-api",
        "ConfigMap::x: OTEL_SDK_DISABLED is false",
        "Secret::x: OTEL_EXPORTER_OTLP_HEADERS",
    ]
    text = Console(file=StringIO(), width=200)
    text.print(changed_traces(lines))
    assert isinstance(text.file, StringIO)
    assert "set honeydue:traces and not honeydue:environment" in text.file.getvalue()
