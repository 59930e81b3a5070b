"""Finds routes that Traefik no longer serves after an `up`, which limits it to the program's namespaces."""

from collections.abc import Iterator, Sequence

from infra.names import NAMESPACE
from ops.kubernetes import Cluster

ROUTES: Sequence[tuple[str, str]] = (
    ("networking.k8s.io/v1", "Ingress"),
    ("traefik.io/v1alpha1", "IngressRoute"),
    ("traefik.io/v1alpha1", "IngressRouteTCP"),
    ("traefik.io/v1alpha1", "IngressRouteUDP"),
)
TRAEFIK = "traefik"


def routes_elsewhere(cluster: Cluster) -> Iterator[str]:
    """The routes in other namespaces than that of the apps: "Ingress monitoring/grafana".

    An Ingress of another controller stays as it is.
    """
    for version, kind in ROUTES:
        for live in cluster.list_everywhere(version, kind):
            metadata = live["metadata"]
            controller = live["spec"].get("ingressClassName", TRAEFIK)
            if metadata["namespace"] != NAMESPACE and controller == TRAEFIK:
                yield f"{kind} {metadata['namespace']}/{metadata['name']}"
