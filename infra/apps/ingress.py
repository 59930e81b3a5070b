"""The Ingresses: hostnames, their apps, and TLS with the origin certificate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import (
    HTTPIngressPathArgs,
    HTTPIngressRuleValueArgs,
    Ingress,
    IngressBackendArgs,
    IngressRuleArgs,
    IngressServiceBackendArgs,
    IngressSpecArgs,
    IngressTLSArgs,
    ServiceBackendPortArgs,
)

from infra.apps.workload import Workload
from infra.cluster import Middlewares, Namespace
from infra.cluster.ingress_admission import ENTRY_POINTS, MIDDLEWARES, TLS, WEBSECURE
from infra.cluster.secret import secret
from infra.component import Component
from infra.edge import OriginCertificate

TLS_SECRET = "cloudflare-origin-cert"  # noqa: S105  # a name


@dataclass(frozen=True, kw_only=True)
class Route:
    """The hostnames of one app. `middlewares` are in addition to those of every Ingress."""

    name: str
    hosts: Sequence[str]
    backend: Workload
    middlewares: Sequence[str] = ()


def ingress_spec(route: Route) -> IngressSpecArgs:
    """Sends every path of every host to the Service of the app."""
    backend = IngressBackendArgs(
        service=IngressServiceBackendArgs(
            name=route.backend.name, port=ServiceBackendPortArgs(number=route.backend.port)
        )
    )
    paths = HTTPIngressRuleValueArgs(paths=[HTTPIngressPathArgs(path="/", path_type="Prefix", backend=backend)])
    return IngressSpecArgs(
        ingress_class_name="traefik",
        tls=[IngressTLSArgs(hosts=list(route.hosts), secret_name=TLS_SECRET)],
        rules=[IngressRuleArgs(host=host, http=paths) for host in route.hosts],
    )


def annotations(middlewares: Sequence[str]) -> Mapping[str, str]:
    """Annotations for Traefik: port 443, TLS, and the middlewares in this order. The admission policy requires them."""
    return {
        ENTRY_POINTS: WEBSECURE,
        TLS: "true",
        MIDDLEWARES: ",".join(middlewares),
        # On the host network, Traefik writes no address to the status. The provider would wait for one and fail.
        "pulumi.com/skipAwait": "true",
    }


class Ingresses(Component):
    """The TLS Secret and one Ingress per route."""

    def __init__(
        self,
        routes: Sequence[Route],
        *,
        certificate: OriginCertificate,
        middlewares: Middlewares,
        namespace: Namespace,
        provider: kubernetes.Provider,
    ) -> None:
        super().__init__("apps:Ingresses", "ingresses", provider=provider)
        content = {"tls.crt": certificate.certificate, "tls.key": certificate.private_key}
        tls_secret = secret(TLS_SECRET, content, namespace=namespace.name, parent=self, type_="kubernetes.io/tls")
        for route in routes:
            Ingress(
                route.name,
                metadata=ObjectMetaArgs(
                    name=route.name,
                    namespace=namespace.name,
                    annotations=annotations([*middlewares.default, *route.middlewares]),
                ),
                spec=ingress_spec(route),
                opts=self.child_options(depends_on=[tls_secret, *middlewares.objects, route.backend.ready]),
            )
        self.register_outputs({})
