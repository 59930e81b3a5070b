"""The parts of monitoring and logs by their names, with the port of each. This module does not load an SDK."""

from infra.settings.adopted import Labels

VMAGENT, VMAGENT_PORT = "vmagent", 8429
VLAGENT_PORT = 9429
NODE_EXPORTER_PORT = 9100
KUBE_STATE_METRICS, KUBE_STATE_METRICS_PORT = "kube-state-metrics", 8080
REDIS_EXPORTER, REDIS_EXPORTER_PORT = "redis-exporter", 9121
VMALERT, VMALERT_PORT = "vmalert", 8880
ALERTMANAGER, ALERTMANAGER_PORT = "alertmanager", 9093
COREDNS_LABELS: Labels = {"k8s-app": "kube-dns"}
COREDNS_PORT = 9153
"""The port of CoreDNS' metrics (manifests/coredns.yaml in the k3s repository)."""
KUBELET_PORT = 10250
API_SERVER_PORT = 6443
ETCD_PORT = 2381
"""Plain HTTP, on the address of a node whose k3s has the option `etcd-expose-metrics`."""


def selector(part: str) -> Labels:
    """The labels by which controllers, Services and policies select the pods of a part."""
    return {"app.kubernetes.io/name": part}
