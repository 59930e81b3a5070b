"""The ServiceAccount and the permissions that Traefik's chart creates.

They follow `traefik/templates/rbac/` of github.com/traefik/traefik-helm-chart, tag v39.0.7.
"""

from collections.abc import Iterator, Mapping

from rehearsal.control_plane.nodes import Manifest
from rehearsal.traefik.chart import NAME, Values

NAMESPACE = "kube-system"
_CLUSTER_ROLE: Mapping[str, str] = {
    "": "configmaps namespaces nodes pods secrets services",
    "discovery.k8s.io": "endpointslices",
    "networking.k8s.io": "ingressclasses ingresses",
    "traefik.io": (
        "ingressroutes ingressroutetcps ingressrouteudps middlewares middlewaretcps serverstransports"
        " serverstransporttcps tlsoptions tlsstores traefikservices"
    ),
}
"""What the ClusterRole permits to read in all namespaces, by API group."""


def manifests(values: Values) -> Iterator[Manifest]:
    """The ServiceAccount, and its ClusterRole and binding unless the values disable them (`rbac.enabled`)."""
    account = {"name": NAME, "namespace": NAMESPACE}
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}
    if not values.get("rbac", {}).get("enabled", True):
        return
    group = "rbac.authorization.k8s.io"
    metadata = {"name": f"{NAME}-{NAMESPACE}"}
    yield {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRole",
        "metadata": metadata,
        "rules": [
            {"apiGroups": [api_group], "resources": resources.split(), "verbs": ["get", "list", "watch"]}
            for api_group, resources in _CLUSTER_ROLE.items()
        ],
    }
    yield {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", **metadata},
        "subjects": [{"kind": "ServiceAccount", **account}],
    }
