"""The configuration of vmagent: what it scrapes on its own node, and which series it sends.

https://docs.victoriametrics.com/victoriametrics/sd_configs/. vmagent replaces `%{NAME}` by a variable of its pod.
"""

import json
from collections.abc import Mapping

import yaml

from infra.cluster.traefik_values import METRICS_PORT
from infra.monitoring import ports
from infra.monitoring.series import ID_LABELS, metrics_pattern
from infra.names import KUBE_SYSTEM, LOGS, MONITORING, NAMESPACE, NODE_EXPORTER, VLAGENT
from infra.settings.adopted import Labels
from infra.settings.monitoring import ApiMetrics, MonitoringSettings
from infra.settings.schema import Settings

Job = Mapping[str, object]
Rule = Mapping[str, object]

SAMPLE_LIMIT = 20_000
"""The samples of one scrape that vmagent keeps. It rejects a scrape with more."""
API_SAMPLE_LIMIT = 5_000
HOST, NODE = "%{HOST_IP}", "%{NODE_NAME}"
NODE_LABEL: Rule = {"target_label": "node", "replacement": NODE}
"""Every series has the name of the node on which it was scraped."""
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
AUTHENTICATED: Mapping[str, object] = {
    "scheme": "https",
    "bearer_token_file": f"{ACCOUNT}/token",
    # The CA of the cluster signs the certificates of k3s' API servers and kubelets, with the addresses of the node.
    "tls_config": {"ca_file": f"{ACCOUNT}/ca.crt"},
}
LARGE: Mapping[str, object] = {
    # On a server, k3s returns the series of all its components here, which are some megabytes. With `stream_parse`,
    # vmagent does not hold all of them in memory.
    "scrape_interval": "30s",
    "stream_parse": True,
    "max_scrape_size": "64MB",
}
WITH_ETCD_METRICS = r'.*"--etcd-expose-metrics"(,"true".*|,"--.*|\])'
"""Matches the arguments of a node's k3s if they contain the option (pkg/nodeconfig in the k3s repository).

Nodes that were installed by hand lack it, and nodes with and without it may be in one cluster.
"""

CADVISOR_RULES: list[Rule] = [
    {"action": "keep_metrics", "regex": metrics_pattern("cadvisor")},
    # Sums of the containers of a pod and of the whole node. Only the network belongs to a pod and to no container.
    {"action": "drop", "if": '{__name__=~"container_.+",__name__!~"container_network_.+",container=""}'},
    {"action": "drop", "if": '{__name__=~"container_network_.+",pod=""}'},
    # They change whenever a container starts.
    {"action": "labeldrop", "regex": "id|image|name"},
]


def _keep(job: str) -> Mapping[str, object]:
    return {"metric_relabel_configs": [{"action": "keep_metrics", "regex": metrics_pattern(job)}]}


def _host_job(job: str, port: int, **options: object) -> Job:
    """A port of the node. vmagent needs no API server to find it."""
    return {
        "job_name": job,
        "static_configs": [{"targets": [f"{HOST}:{port}"]}],
        "relabel_configs": [NODE_LABEL],
        **_keep(job),
        **options,
    }


def _server_job(job: str, port: int, *rules: Rule, **options: object) -> Job:
    """A port of the node, if the node is a server and the rules keep it."""
    return {
        "job_name": job,
        "kubernetes_sd_configs": [{"role": "node", "selectors": [{"role": "node", "field": f"metadata.name={NODE}"}]}],
        "relabel_configs": [
            {
                "action": "keep",
                "source_labels": ["__meta_kubernetes_node_labelpresent_node_role_kubernetes_io_control_plane"],
                "regex": "true",
            },
            *rules,
            {"target_label": "__address__", "replacement": f"{HOST}:{port}"},
            # By default the name of the node.
            {"target_label": "instance", "replacement": f"{HOST}:{port}"},
            NODE_LABEL,
        ],
        **_keep(job),
        **options,
    }


def _pods(labels: Labels, namespace: str) -> list[Mapping[str, object]]:
    pods = {"role": "pod", "label": ",".join(f"{k}={v}" for k, v in labels.items()), "field": f"spec.nodeName={NODE}"}
    return [{"role": "pod", "namespaces": {"names": [namespace]}, "selectors": [pods]}]


RUNNING: Rule = {"action": "keep", "source_labels": ["__meta_kubernetes_pod_phase"], "regex": "Running"}
POD_LABELS: list[Rule] = [
    {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
    {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
    NODE_LABEL,
]


def _part_job(
    job: str,
    port: int,
    *,
    labels: Labels | None = None,
    namespace: str = MONITORING,
    single: bool = False,
    **options: object,
) -> Job:
    """The running pods on the node with these labels, by default those of the part, on a port that they declare.

    The series of a `single` pod do not change when another pod replaces it.
    """
    return {
        "job_name": job,
        "kubernetes_sd_configs": _pods(labels or ports.selector(job), namespace),
        "relabel_configs": [
            RUNNING,
            # Discovery finds each port of a container.
            {"action": "keep", "source_labels": ["__meta_kubernetes_pod_container_port_number"], "regex": str(port)},
            *([{"target_label": "instance", "replacement": job}, NODE_LABEL] if single else POD_LABELS),
        ],
        **_keep(job),
        **options,
    }


def _api_job(api: ApiMetrics, labels: Labels) -> Job:
    address = {"source_labels": ["__meta_kubernetes_pod_ip"], "replacement": f"$1:{api.port}"}
    return {
        "job_name": "api",
        "kubernetes_sd_configs": _pods(labels, NAMESPACE),
        # The pods need not declare the port.
        "relabel_configs": [RUNNING, {**address, "target_label": "__address__"}, *POD_LABELS],
        "metrics_path": api.path,
        "sample_limit": API_SAMPLE_LIMIT,
        # The whole series. Without the label, the series of all users would become one with the value of any of them.
        "metric_relabel_configs": [
            {"action": "drop", "source_labels": list(ID_LABELS), "separator": "", "regex": ".+"}
        ],
    }


def _exporter_jobs(monitoring: MonitoringSettings) -> list[Job]:
    jobs = []
    if monitoring.node_exporter:
        jobs.append(_host_job(NODE_EXPORTER, ports.NODE_EXPORTER_PORT))
    if monitoring.kube_state_metrics:
        # Its labels `node` and `pod` name the object that a series is about.
        jobs.append(_part_job(ports.KUBE_STATE_METRICS, ports.KUBE_STATE_METRICS_PORT, single=True, honor_labels=True))
    if monitoring.redis_exporter:
        jobs.append(_part_job(ports.REDIS_EXPORTER, ports.REDIS_EXPORTER_PORT, single=True))
    if monitoring.alerts:
        jobs.append(_part_job(ports.VMALERT, ports.VMALERT_PORT))
        jobs.append(_part_job(ports.ALERTMANAGER, ports.ALERTMANAGER_PORT))
    return jobs


def configuration(settings: Settings, monitoring: MonitoringSettings) -> Mapping[str, object]:
    """The file of `-promscrape.config`. The label `job` of every series is the name of its job."""
    api = [_api_job(monitoring.api, settings.adopted.selector("api"))] if monitoring.api else []
    etcd: Rule = {
        "action": "keep",
        "source_labels": ["__meta_kubernetes_node_annotation_k3s_io_node_args"],
        "regex": WITH_ETCD_METRICS,
    }
    return {
        "global": {"scrape_interval": "15s", "scrape_timeout": "10s", "sample_limit": SAMPLE_LIMIT},
        "scrape_configs": [
            {
                "job_name": ports.VMAGENT,
                "static_configs": [{"targets": [f"127.0.0.1:{ports.VMAGENT_PORT}"]}],
                "relabel_configs": [{"target_label": "instance", "replacement": NODE}, NODE_LABEL],
                **_keep(ports.VMAGENT),
            },
            _host_job("traefik", METRICS_PORT),
            *api,
            _host_job("kubelet", ports.KUBELET_PORT, **AUTHENTICATED, **LARGE),
            {
                **_host_job("cadvisor", ports.KUBELET_PORT, **AUTHENTICATED, **LARGE),
                "metrics_path": "/metrics/cadvisor",
                "metric_relabel_configs": CADVISOR_RULES,
            },
            _server_job("apiserver", ports.API_SERVER_PORT, **AUTHENTICATED, **LARGE),
            _server_job("etcd", ports.ETCD_PORT, etcd),
            _part_job("coredns", ports.COREDNS_PORT, labels=ports.COREDNS_LABELS, namespace=KUBE_SYSTEM),
            *_exporter_jobs(monitoring),
            *([_part_job(VLAGENT, ports.VLAGENT_PORT, namespace=LOGS)] if settings.logs else []),
        ],
    }


def configuration_text(settings: Settings, monitoring: MonitoringSettings) -> str:
    """The text of the file. Through JSON, because YAML would write the rules that jobs share as references."""
    return yaml.safe_dump(json.loads(json.dumps(configuration(settings, monitoring))), sort_keys=False, width=1000)
