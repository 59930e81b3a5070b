"""kube-state-metrics: the state of Kubernetes objects as series."""

from collections.abc import Mapping

import pulumi
import yaml
from pulumi_kubernetes.core.v1 import ConfigMap
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.apps.config import checksum
from infra.cluster import Cluster
from infra.cluster.rbac import Resources as ResourceTypes
from infra.cluster.rbac import rules
from infra.component import Component
from infra.monitoring.accounts import grant_everywhere
from infra.monitoring.connections import policy, to_api_server
from infra.monitoring.ports import KUBE_STATE_METRICS, KUBE_STATE_METRICS_PORT, VMAGENT
from infra.monitoring.rules.control_plane import SNAPSHOT_CREATED, SNAPSHOT_READY
from infra.monitoring.workload import Workload
from infra.names import MONITORING
from infra.pods import Pod, Probes, Resources
from infra.settings.monitoring import MonitoringSettings

CONFIG, CONFIG_FILE = "/etc/kube-state-metrics", "custom-resources.yaml"
RESOURCES: ResourceTypes = {
    "": ["nodes", "persistentvolumeclaims", "pods"],
    "apps": ["daemonsets", "deployments", "statefulsets"],
    "autoscaling": ["horizontalpodautoscalers"],
    "batch": ["cronjobs", "jobs"],
}
"""The objects that it reads, of all namespaces. No Secrets and no ConfigMaps."""
CUSTOM_RESOURCES: ResourceTypes = {
    "k3s.cattle.io": ["etcdsnapshotfiles"],
    # kube-state-metrics finds out which custom resources exist.
    "apiextensions.k8s.io": ["customresourcedefinitions"],
}
SINGLE_EXPORTER = {
    "deployment-replicas": "the series of two pods would be counted twice",
    "deployment-strategy": "the series of two pods would be counted twice",
}
"""Checks of kube-score that do not apply to an exporter with one pod."""


def custom_resources() -> Mapping[str, object]:
    """The snapshots of etcd that k3s lists: when each was taken, and whether it is complete.

    `server` is the name of a node, or "s3" for a snapshot in the bucket (k3s.cattle.io/v1/types.go in k3s-io/api).
    """

    def gauge(name: str, description: str, *path: str) -> Mapping[str, object]:
        return {"name": name, "help": description, "each": {"type": "Gauge", "gauge": {"path": list(path)}}}

    return {
        "kind": "CustomResourceStateMetrics",
        "spec": {
            "resources": [
                {
                    "groupVersionKind": {"group": "k3s.cattle.io", "version": "v1", "kind": "ETCDSnapshotFile"},
                    # By default kube_customresource.
                    "metricNamePrefix": "",
                    "labelsFromPath": {"name": ["metadata", "name"], "server": ["spec", "nodeName"]},
                    "metrics": [
                        gauge(SNAPSHOT_CREATED, "When the snapshot was taken.", "status", "creationTime"),
                        gauge(SNAPSHOT_READY, "Whether the snapshot can be restored.", "status", "readyToUse"),
                    ],
                }
            ]
        },
    }


def kube_state_metrics_pod(monitoring: MonitoringSettings, *, config: str) -> Pod:
    """The pod. A singleton, because the series of two pods would be counted twice."""
    resources = sorted(name for names in RESOURCES.values() for name in names)
    return Pod(
        name=KUBE_STATE_METRICS,
        component="exporter",
        image=monitoring.images.kube_state_metrics,
        port=KUBE_STATE_METRICS_PORT,
        args=[
            f"--port={KUBE_STATE_METRICS_PORT}",
            f"--resources={','.join(resources)}",
            f"--custom-resource-state-config-file={CONFIG}/{CONFIG_FILE}",
        ],
        probes=Probes(http_path="/healthz"),
        config_checksum=checksum({CONFIG_FILE: config}),
        config_files={CONFIG: KUBE_STATE_METRICS},
        empty_dirs=(),
        singleton=True,
        service_account_token=True,
        exemptions=SINGLE_EXPORTER,
        resources=Resources(cpu=10, cpu_limit=250, memory=96, disk=64),
    )


class KubeStateMetrics(Component):
    """The exporter, its configuration and its permissions."""

    def __init__(
        self,
        monitoring: MonitoringSettings,
        *,
        cluster: Cluster,
        namespaces: Mapping[str, pulumi.Output[str]],
    ) -> None:
        super().__init__("monitoring:KubeStateMetrics", KUBE_STATE_METRICS, provider=cluster.provider)
        text = yaml.safe_dump(dict(custom_resources()), sort_keys=False)
        config = ConfigMap(
            KUBE_STATE_METRICS,
            metadata=ObjectMetaArgs(name=KUBE_STATE_METRICS, namespace=namespaces[MONITORING]),
            data={CONFIG_FILE: text},
            opts=self.child_options(),
        )
        granted = grant_everywhere(
            KUBE_STATE_METRICS, rules({**RESOURCES, **CUSTOM_RESOURCES}, "list", "watch"), parent=self
        )
        Workload(
            kube_state_metrics_pod(monitoring, config=text),
            kind="Deployment",
            policy=policy(
                KUBE_STATE_METRICS,
                ingress={KUBE_STATE_METRICS_PORT: [VMAGENT]},
                egress=[to_api_server(cluster.addresses)],
            ),
            namespace=namespaces[MONITORING],
            cluster=cluster,
            depends_on=[config, granted],
        )
        self.register_outputs({})
