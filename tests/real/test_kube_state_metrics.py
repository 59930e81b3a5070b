"""The stand-in for kube-state-metrics exposes the documented series of the objects in an API server."""

import http.server
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from dashboards import dashboards
from dashboards.promql import metric_names
from infra.monitoring.kube_state_metrics import custom_resources
from rehearsal.processes.ports import free_ports
from tests.retry import eventually
from tests.rules.unit_tests import rules
from tests.unit.flips import example
from tools.cache import executable

MONITORING = {"monitoring": {"url": "https://obs.example.com", "username": "cluster"}}
ITEMS: Mapping[str, list[dict[str, Any]]] = {
    "api/v1/nodes": [
        {
            "metadata": {"name": "first"},
            "spec": {"unschedulable": True},
            "status": {"conditions": [{"type": "Ready", "status": "Unknown"}], "allocatable": {"memory": "1Ki"}},
        }
    ],
    "api/v1/pods": [
        {
            "metadata": {"name": "api-1", "namespace": "shop", "uid": "u1"},
            "spec": {
                "nodeName": "first",
                "containers": [{"name": "api", "image": "shop/api:1", "resources": {"requests": {"cpu": "250m"}}}],
            },
            "status": {
                "phase": "Pending",
                "initContainerStatuses": [
                    {"name": "wait", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
                ],
                "containerStatuses": [
                    {
                        "name": "api",
                        "image": "docker.io/shop/api:1",
                        "imageID": "sha256:1",
                        "containerID": "containerd://1",
                        "restartCount": 3,
                        "state": {"waiting": {"reason": "ImagePullBackOff"}},
                        "lastState": {"terminated": {"reason": "OOMKilled"}},
                    }
                ],
            },
        }
    ],
    "apis/apps/v1/deployments": [
        {
            "metadata": {"name": "api", "namespace": "shop"},
            "spec": {"replicas": 3},
            "status": {"replicas": 3, "availableReplicas": 1, "unavailableReplicas": 2},
        }
    ],
    "apis/apps/v1/daemonsets": [
        {
            "metadata": {"name": "agent", "namespace": "shop"},
            "status": {"desiredNumberScheduled": 3, "numberAvailable": 2, "numberUnavailable": 1},
        }
    ],
    "apis/apps/v1/statefulsets": [
        {"metadata": {"name": "mail", "namespace": "shop"}, "spec": {"replicas": 2}, "status": {"readyReplicas": 1}}
    ],
    "apis/batch/v1/jobs": [
        {
            "metadata": {"name": "migrate", "namespace": "shop"},
            "status": {"failed": 1, "conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]},
        }
    ],
    "apis/batch/v1/cronjobs": [
        {
            "metadata": {"name": "dump", "namespace": "shop"},
            "spec": {"schedule": "30 2 * * *", "concurrencyPolicy": "Forbid"},
            "status": {"lastSuccessfulTime": "2026-11-26T12:00:00Z"},
        }
    ],
    "apis/autoscaling/v2/horizontalpodautoscalers": [
        {
            "metadata": {"name": "api", "namespace": "shop"},
            "spec": {"maxReplicas": 6},
            "status": {"currentReplicas": 6, "desiredReplicas": 6},
        }
    ],
    "api/v1/persistentvolumeclaims": [{"metadata": {"name": "data", "namespace": "shop"}, "status": {"phase": "Lost"}}],
    "apis/k3s.cattle.io/v1/etcdsnapshotfiles": [
        {
            "metadata": {"name": "snapshot-1"},
            "spec": {"nodeName": "first"},
            "status": {"creationTime": "2026-11-26T12:00:00Z", "readyToUse": True},
        }
    ],
}
EXPECTED = """
kube_node_spec_unschedulable{node="first"} 1
kube_node_status_condition{node="first",condition="Ready",status="unknown"} 1
kube_node_status_condition{node="first",condition="Ready",status="true"} 0
kube_node_status_allocatable{node="first",resource="memory",unit="byte"} 1024
kube_pod_status_phase{namespace="shop",pod="api-1",uid="u1",phase="Pending"} 1
kube_pod_status_phase{namespace="shop",pod="api-1",uid="u1",phase="Running"} 0
kube_pod_container_status_restarts_total{namespace="shop",pod="api-1",uid="u1",container="api"} 3
kube_pod_container_status_waiting_reason{namespace="shop",pod="api-1",uid="u1",container="api",reason="ImagePullBackOff"} 1
kube_pod_container_status_last_terminated_reason{namespace="shop",pod="api-1",uid="u1",container="api",reason="OOMKilled"} 1
kube_pod_container_info{namespace="shop",pod="api-1",uid="u1",container="api",image_spec="shop/api:1",image="docker.io/shop/api:1",image_id="sha256:1",container_id="containerd://1"} 1
kube_pod_init_container_status_waiting_reason{namespace="shop",pod="api-1",uid="u1",container="wait",reason="CrashLoopBackOff"} 1
kube_pod_container_resource_requests{namespace="shop",pod="api-1",uid="u1",container="api",node="first",resource="cpu",unit="core"} 0.25
kube_deployment_spec_replicas{namespace="shop",deployment="api"} 3
kube_deployment_status_replicas_available{namespace="shop",deployment="api"} 1
kube_deployment_status_replicas_unavailable{namespace="shop",deployment="api"} 2
kube_daemonset_status_desired_number_scheduled{namespace="shop",daemonset="agent"} 3
kube_daemonset_status_number_available{namespace="shop",daemonset="agent"} 2
kube_daemonset_status_number_unavailable{namespace="shop",daemonset="agent"} 1
kube_statefulset_replicas{namespace="shop",statefulset="mail"} 2
kube_statefulset_status_replicas_ready{namespace="shop",statefulset="mail"} 1
kube_job_failed{namespace="shop",job_name="migrate",condition="true"} 1
kube_job_status_failed{namespace="shop",job_name="migrate",reason="DeadlineExceeded"} 1
kube_cronjob_info{namespace="shop",cronjob="dump",schedule="30 2 * * *",concurrency_policy="Forbid"} 1
kube_cronjob_spec_suspend{namespace="shop",cronjob="dump"} 0
kube_cronjob_status_last_successful_time{namespace="shop",cronjob="dump"} 1.7956944e+09
kube_horizontalpodautoscaler_spec_max_replicas{namespace="shop",horizontalpodautoscaler="api"} 6
kube_horizontalpodautoscaler_status_current_replicas{namespace="shop",horizontalpodautoscaler="api"} 6
kube_persistentvolumeclaim_status_phase{namespace="shop",persistentvolumeclaim="data",phase="Lost"} 1
"""  # noqa: E501  # lines of Prometheus' text format
CUSTOM_RESOURCES = {
    "kind": "CustomResourceStateMetrics",
    "spec": {
        "resources": [
            {
                "groupVersionKind": {"group": "k3s.cattle.io", "version": "v1", "kind": "ETCDSnapshotFile"},
                "labelsFromPath": {"name": ["metadata", "name"]},
                "metrics": [
                    {
                        "name": "etcd_snapshot_created",
                        "each": {"type": "Gauge", "gauge": {"path": ["status", "creationTime"]}},
                    }
                ],
            }
        ]
    },
}
SNAPSHOT = (
    'kube_customresource_etcd_snapshot_created{customresource_group="k3s.cattle.io",customresource_kind="ETCDSnapshotFile",'
    'customresource_version="v1",name="snapshot-1"} 1.7956944e+09'
)


class ApiServer(http.server.BaseHTTPRequestHandler):
    """Lists ITEMS, and responds with 404 to everything else."""

    def do_GET(self) -> None:
        items = ITEMS.get(self.path.strip("/"))
        self.send_response(404 if items is None else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"items": items}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def api_server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), ApiServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def scrape(api_server: str, *arguments: str) -> list[str]:
    """The series of a stand-in that is started with these arguments."""
    ports = free_ports(["metrics", "telemetry"])
    flags = ["--host=127.0.0.1", "--telemetry-host=127.0.0.1", f"--apiserver={api_server}", *arguments]
    flags += [f"--port={ports['metrics']}", f"--telemetry-port={ports['telemetry']}"]
    with subprocess.Popen([executable("kube-state-metrics"), *flags]) as process:
        try:
            url = f"http://127.0.0.1:{ports['metrics']}"
            eventually(lambda: requests.get(f"{url}/livez", timeout=5).raise_for_status())
            response = requests.get(f"{url}/metrics", timeout=5)
            response.raise_for_status()
            return response.text.splitlines()
        finally:
            process.kill()


def test_every_object_has_the_documented_series(api_server: str) -> None:
    series = scrape(api_server)
    assert [line for line in EXPECTED.strip().splitlines() if line not in series] == []


def test_every_series_of_an_alert_rule_and_of_a_dashboard_is_exposed(api_server: str, tmp_path: Path) -> None:
    settings = example(MONITORING)
    used = {name for rule in rules(settings) for name in (*rule.series, *rule.events)}
    used |= {
        name
        for dashboard in dashboards(settings)
        for panel in dashboard.panels
        for query in panel.queries
        for name in metric_names(query.expr)
    }
    of_kubernetes = {name for name in used if name.startswith("kube_")}
    assert len(of_kubernetes) > 10
    (tmp_path / "custom.yaml").write_text(yaml.safe_dump(dict(custom_resources())))
    series = scrape(api_server, f"--custom-resource-state-config-file={tmp_path}/custom.yaml")
    assert of_kubernetes - {line.partition("{")[0] for line in series} == set()


def test_only_the_selected_resources_have_series(api_server: str) -> None:
    series = scrape(api_server, "--resources=deployments,jobs")
    assert {line.split("_")[1] for line in series} == {"deployment", "job"}


def test_a_custom_resource_has_the_configured_series(api_server: str, tmp_path: Path) -> None:
    (tmp_path / "custom.yaml").write_text(yaml.safe_dump(CUSTOM_RESOURCES))
    arguments = [f"--custom-resource-state-config-file={tmp_path}/custom.yaml", "--resources=jobs"]
    assert [line for line in scrape(api_server, *arguments) if line.startswith("kube_customresource_")] == [SNAPSHOT]


@pytest.mark.parametrize("argument", ["--resources=secrets", "--custom-resource-state-config=kind: [", "--unknown"])
def test_an_unsupported_argument_ends_the_program(argument: str, api_server: str) -> None:
    completed = subprocess.run(
        [executable("kube-state-metrics"), f"--apiserver={api_server}", argument],
        capture_output=True,
        timeout=10,
        check=False,
    )
    assert completed.returncode != 0
