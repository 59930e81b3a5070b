"""Which name leads to which app, all of it over TLS with the origin certificate (book ch06)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
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
from infra.cluster.middlewares import Middlewares
from infra.cluster.namespace import Namespace
from infra.cluster.secret import secret
from infra.component import Component
from infra.edge.origin_certificate import OriginCertificate

TLS_SECRET = "cloudflare-origin-cert"  # noqa: S105  # a name


@dataclass(frozen=True, kw_only=True)
class Route:
    """The names that lead to one app; `behind` are its middlewares besides those that every app has."""

    name: str
    hosts: Sequence[str]
    to: Workload
    behind: Sequence[str] = ()


def ingress_spec(route: Route) -> IngressSpecArgs:
    """Every path of every host to the one Service."""
    backend = IngressBackendArgs(
        service=IngressServiceBackendArgs(name=route.to.name, port=ServiceBackendPortArgs(number=route.to.port))
    )
    paths = HTTPIngressRuleValueArgs(paths=[HTTPIngressPathArgs(path="/", path_type="Prefix", backend=backend)])
    return IngressSpecArgs(
        ingress_class_name="traefik",
        tls=[IngressTLSArgs(hosts=list(route.hosts), secret_name=TLS_SECRET)],
        rules=[IngressRuleArgs(host=host, http=paths) for host in route.hosts],
    )


def annotations(middlewares: Sequence[str]) -> Mapping[str, str]:
    """How Traefik serves it: on port 443, over TLS, behind these, in this order."""
    return {
        "traefik.ingress.kubernetes.io/router.entrypoints": "websecure",
        "traefik.ingress.kubernetes.io/router.tls": "true",
        "traefik.ingress.kubernetes.io/router.middlewares": ",".join(middlewares),
        # Traefik on the host network publishes no address, which the provider would await in vain.
        "pulumi.com/skipAwait": "true",
    }


class Ingresses(Component):
    """The TLS Secret and one Ingress per route."""

    def __init__(
        self, routes: Sequence[Route], *, namespace: Namespace, certificate: OriginCertificate, middlewares: Middlewares
    ) -> None:
        super().__init__("apps:Ingresses", "ingresses", provider=namespace.provider)
        content = {"tls.crt": certificate.certificate, "tls.key": certificate.private_key}
        shown = secret(TLS_SECRET, content, namespace=namespace.name, parent=self, type_="kubernetes.io/tls")
        for route in routes:
            Ingress(
                route.name,
                metadata=ObjectMetaArgs(
                    name=route.name,
                    namespace=namespace.name,
                    annotations=annotations([*middlewares.everywhere, *route.behind]),
                ),
                spec=ingress_spec(route),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[shown, *middlewares.objects, route.to.ready]),
            )
        self.register_outputs({})
