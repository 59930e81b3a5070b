"""What a request passes before it reaches an app: Traefik's middlewares and its TLS options (book ch06, ch20).

Fields: https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/overview/
"""

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.cluster.namespace import NAMESPACE, Namespace
from infra.cluster.secret import secret
from infra.component import Component
from infra.edge.origin_pulls import OriginPulls
from infra.settings.schema import EdgeSettings, RateLimit

CLOUDFLARE_ONLY, SECURITY_HEADERS, RATE_LIMIT, RETRY, ADMIN_AUTH = (
    "cloudflare-only",
    "security-headers",
    "rate-limit",
    "retry",
    "admin-auth",
)
ADMIN_USERS = "admin-basic-auth"
CLIENT_AUTHORITY = "cloudflare-origin-pulls"
ONE_YEAR = 365 * 24 * 3600

Spec = Mapping[str, object]


def cloudflare_only(ranges: Sequence[str]) -> Spec:
    """Refuses whoever connects from elsewhere. The firewall does so already: this one holds if that is ever opened (book ch20)."""
    return {"ipAllowList": {"sourceRange": list(ranges)}}


def security_headers() -> Spec:
    """What every browser is told, by every app.

    No Content-Security-Policy: the Go API and the Next.js apps set their own, and of two a browser takes the intersection,
    which would break the fonts of the landing page (book ch20). The other values are ours.
    """
    return {
        "headers": {
            "stsSeconds": ONE_YEAR,
            "stsIncludeSubdomains": True,
            # Not stsPreload: a name leaves the browsers' own lists only after months.
            "frameDeny": True,
            "contentTypeNosniff": True,
            "referrerPolicy": "strict-origin-when-cross-origin",
            "permissionsPolicy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        }
    }


def rate_limit(limit: RateLimit) -> Spec:
    """So many requests of one visitor at one node.

    By the address Cloudflare saw: the one that connects is an edge server's, which thousands share. Nobody else can set that
    header, as nobody else gets through the TLS handshake.
    """
    return {
        "rateLimit": {
            "average": limit.average,
            "burst": limit.burst,
            "period": limit.period,
            "sourceCriterion": {"requestHeaderName": "CF-Connecting-IP"},
        }
    }


def retry() -> Spec:
    """Another pod, where one cannot be reached: a dead node's pods count as ready until Kubernetes has missed it, a minute later.

    Only what no pod was sent yet is sent again: no order is carried out twice. Ten times, as every third try may meet the same dead pod.
    """
    return {"retry": {"attempts": 10}}


def admin_auth() -> Spec:
    """A password before the panel's own; the apps do not see it."""
    return {"basicAuth": {"secret": ADMIN_USERS, "removeHeader": True}}


def tls_options(settings: EdgeSettings) -> Spec:
    """TLS 1.2 or newer, for the site's own names alone, with a client certificate of our authority."""
    return {
        "minVersion": "VersionTLS12",
        # Without it a connection to no name, or to another's, is shown Traefik's own certificate and let in.
        "sniStrict": True,
        "clientAuth": {
            "secretNames": [CLIENT_AUTHORITY],
            "clientAuthType": "RequireAndVerifyClientCert"
            if settings.client_certificate == "required"
            else "VerifyClientCertIfGiven",
        },
    }


def references(*names: str) -> tuple[str, ...]:
    """Middlewares as an Ingress names them."""
    return tuple(f"{NAMESPACE}-{name}@kubernetescrd" for name in names)


class Middlewares(Component):
    """The middlewares, the TLS options that hold for every connection, and the Secrets both read.

    Attributes:
        everywhere: what every Ingress is behind, in this order. The headers come before what refuses, so that a refusal has
            them too.
        admin: what the admin panel is behind besides; empty until honeydue:adminBasicAuth is set.
        objects: what an Ingress comes after: Traefik drops a route whose middleware is missing, and nothing shall be served
            to whoever has no certificate.
    """

    everywhere: tuple[str, ...]
    admin: tuple[str, ...]
    objects: tuple[pulumi.Resource, ...]

    def __init__(
        self,
        settings: EdgeSettings,
        *,
        ranges: Sequence[str],
        origin_pulls: OriginPulls,
        admin_users: pulumi.Output[str] | None,
        namespace: Namespace,
    ) -> None:
        super().__init__("cluster:Middlewares", "middlewares", provider=namespace.provider)

        def custom(kind: str, name: str, spec: Spec, after: Sequence[pulumi.Resource] = ()) -> CustomResource:
            return CustomResource(
                name,
                api_version="traefik.io/v1alpha1",
                kind=kind,
                metadata=ObjectMetaArgs(name=name, namespace=namespace.name),
                spec=spec,
                opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
            )

        specs = {
            CLOUDFLARE_ONLY: cloudflare_only(ranges),
            SECURITY_HEADERS: security_headers(),
            RATE_LIMIT: rate_limit(settings.rate_limit),
            RETRY: retry(),
        }
        self.everywhere = references(*specs)
        made = [custom("Middleware", name, spec) for name, spec in specs.items()]
        self.admin = ()
        if admin_users is not None:
            users = secret(ADMIN_USERS, {"users": admin_users}, namespace=namespace.name, parent=self)
            made.append(custom("Middleware", ADMIN_AUTH, admin_auth(), after=[users]))
            self.admin = references(ADMIN_AUTH)

        # Public, but kept as a Secret: Traefik reads it from nothing else.
        trusted: pulumi.Output[str] = pulumi.Output.secret(origin_pulls.authority)
        authority = secret(CLIENT_AUTHORITY, {"ca.crt": trusted}, namespace=namespace.name, parent=self)
        # The name `default` makes it hold for every connection, whichever Ingress it is for: none can forget it. After Cloudflare
        # was told to show its certificate, or a running site would refuse Cloudflare itself.
        options = custom("TLSOption", "default", tls_options(settings), after=[authority, origin_pulls.presented])
        self.objects = (*made, options)
        self.register_outputs({})
