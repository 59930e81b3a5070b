"""Kubernetes around the apps: provider, namespaces, network policies, admission, RBAC, Traefik, DNS, maintenance."""

from infra.cluster.admission import Admission
from infra.cluster.dns import ClusterDNS
from infra.cluster.middlewares import Middlewares
from infra.cluster.namespace import Namespace, SystemNamespaces
from infra.cluster.other_workloads import OtherWorkloads, namespaces_of_apps
from infra.cluster.provider import Cluster, bootstrapped_kubeconfig
from infra.cluster.rbac import MonitoringReaders, Rbac
from infra.cluster.serving import serving_hooks
from infra.cluster.snapshots import Snapshots
from infra.cluster.traefik import Traefik
from infra.cluster.upgrades import Upgrades

__all__ = [
    "Admission",
    "Cluster",
    "ClusterDNS",
    "Middlewares",
    "MonitoringReaders",
    "Namespace",
    "OtherWorkloads",
    "Rbac",
    "Snapshots",
    "SystemNamespaces",
    "Traefik",
    "Upgrades",
    "bootstrapped_kubeconfig",
    "namespaces_of_apps",
    "serving_hooks",
]
