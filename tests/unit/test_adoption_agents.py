"""Adoption finds the metrics agents that run already, wherever they are in the cluster."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from infra.settings.monitoring import MonitoringSettings
from ops.adoption.agents import metrics_agents
from ops.kubernetes import Cluster, Object
from tests.unit.other_workloads import deployment

HOST = "obs.example.com:8443"
MONITORING = MonitoringSettings.model_validate({"url": f"https://{HOST}", "username": "cluster"})
WRITE_URL = f"https://{HOST}/api/v1/write"


class FakeCluster(Cluster):
    """A cluster with these objects."""

    def __init__(self, *objects: Mapping[str, Any]) -> None:
        self._objects = objects

    def list_everywhere(self, api_version: str, kind: str) -> Sequence[Object]:
        return [item for item in self._objects if (item["apiVersion"], item["kind"]) == (api_version, kind)]

    def get(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object | None:
        for item in self.list_everywhere(api_version, kind):
            if (item["metadata"]["namespace"], item["metadata"]["name"]) == (namespace, name):
                return item
        return None


def agents(*objects: Mapping[str, Any], monitoring: MonitoringSettings | None = MONITORING) -> list[str]:
    return [str(agent) for agent in metrics_agents(FakeCluster(*objects), [], monitoring)]


def agent(
    kind: str = "Deployment",
    *,
    image: str = "example.com:5000/scraper:1",
    metadata: Mapping[str, Any] | None = None,
    volumes: Sequence[Mapping[str, Any]] = (),
    **container: Any,
) -> dict[str, Any]:
    """A workload in a namespace of its own."""
    live = deployment("observability", "scraper", volumes=list(volumes))
    live["spec"]["template"]["spec"]["containers"] = [{"name": "scraper", "image": image, **container}]
    return {**live, "kind": kind, "metadata": {**live["metadata"], **(metadata or {})}}


def config_map(text: str) -> dict[str, Any]:
    metadata = {"name": "scraper", "namespace": "observability"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"prometheus.yml": text}}


FOUND = "Deployment observability/scraper writes to the same URL"
CONFIG = config_map(f"remote_write:\n- url: https://user:secret@{HOST}/api/v1/write\n")


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_an_agent_is_found_in_every_kind_and_namespace(kind: str) -> None:
    (found,) = agents(agent(kind, args=[f"-remoteWrite.url={WRITE_URL}"]))
    assert found == (
        f"{kind} observability/scraper writes to the same URL. "
        f"To remove it: kubectl -n observability delete {kind.lower()} scraper"
    )


@pytest.mark.parametrize(
    "objects",
    [
        [agent(command=["scraper", WRITE_URL])],
        [agent(env=[{"name": "URL", "value": f"http://{HOST}/insert/0/prometheus"}])],
        [agent(volumes=[{"name": "config", "configMap": {"name": "scraper"}}]), CONFIG],
        [agent(volumes=[{"name": "config", "projected": {"sources": [{"configMap": {"name": "scraper"}}]}}]), CONFIG],
        [agent(envFrom=[{"configMapRef": {"name": "scraper"}}]), CONFIG],
        [agent(env=[{"name": "URL", "valueFrom": {"configMapKeyRef": {"name": "scraper"}}}]), CONFIG],
    ],
)
def test_an_agent_is_found_by_the_url_to_which_it_writes(objects: Sequence[Mapping[str, Any]]) -> None:
    (found,) = agents(*objects)
    assert found.startswith(FOUND)
    assert "secret" not in found


@pytest.mark.parametrize("image", ["victoriametrics/vmagent:v1.102.1", "localhost:5000/grafana/alloy:v1@sha256:0"])
def test_an_agent_whose_url_is_not_in_its_manifest_is_found_by_its_image(image: str) -> None:
    (found,) = agents(agent(image=image))
    assert "may write to the same URL: check its configuration" in found


@pytest.mark.parametrize(
    "live",
    [
        agent(env=[{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": f"https://{HOST}"}]),
        agent(args=[f"--url=https://{HOST}/jaeger/api/traces"]),
        agent(args=["--url=https://obs.example.com.evil/api/v1/write"]),
        agent(image="quay.io/prometheus/node-exporter:v1.9.1"),
    ],
)
def test_a_workload_that_writes_no_metrics_to_this_url_is_not_an_agent(live: Mapping[str, Any]) -> None:
    assert agents(live) == []


def test_an_agent_does_not_matter_while_monitoring_is_off() -> None:
    assert agents(agent(args=[WRITE_URL]), monitoring=None) == []


@pytest.mark.parametrize(
    ("metadata", "removal"),
    [
        ({"annotations": {"meta.helm.sh/release-name": "agent"}}, "helm -n observability uninstall agent"),
        ({"annotations": {"meta.helm.sh/release-name": "chart"}}, "kubectl -n kube-system delete helmchart chart"),
        (
            {"ownerReferences": [{"kind": "VMAgent", "name": "main"}]},
            "kubectl -n observability delete vmagent main",
        ),
    ],
)
def test_an_agent_is_removed_by_the_tool_that_created_it(metadata: Mapping[str, Any], removal: str) -> None:
    """Otherwise an operator or k3s' helm-controller creates it again."""
    chart = {
        "apiVersion": "helm.cattle.io/v1",
        "kind": "HelmChart",
        "metadata": {"name": "chart", "namespace": "kube-system"},
        "spec": {"targetNamespace": "observability"},
    }
    (found,) = agents(agent(metadata=metadata, args=[WRITE_URL]), chart)
    assert found.endswith(f"To remove it: {removal}")


def test_a_replica_set_of_an_agent_is_not_named_beside_it() -> None:
    owned = agent("ReplicaSet", metadata={"ownerReferences": [{"kind": "Deployment", "name": "scraper"}]})
    assert agents(agent(args=[WRITE_URL]), {**owned, "spec": agent(args=[WRITE_URL])["spec"]}) == [
        f"{FOUND}. To remove it: kubectl -n observability delete deployment scraper"
    ]
