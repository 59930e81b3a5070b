"""Traefik's middlewares and TLS options, which apply to a request before it reaches an app.

Fields: https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/overview/
"""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.cluster.namespace import Namespace
from infra.cluster.secret import secret
from infra.component import Component
from infra.edge import OriginPulls
from infra.names import NAMESPACE
from infra.settings.schema import EdgeSettings, RateLimit

CLOUDFLARE_ONLY, SECURITY_HEADERS, RATE_LIMIT, RETRY, ADMIN_AUTH = (
    "cloudflare-only",
    "security-headers",
    "rate-limit",
    "retry",
    "admin-auth",
)
DEFAULT = (CLOUDFLARE_ONLY, SECURITY_HEADERS, RATE_LIMIT, RETRY)
"""The middlewares of every Ingress, in their order."""
ADMIN_USERS = "admin-basic-auth"
CLIENT_CA = "cloudflare-origin-pulls"
ONE_YEAR = 365 * 24 * 3600

Spec = Mapping[str, object]


def cloudflare_only(ranges: Sequence[str]) -> Spec:
    """Rejects other clients than Cloudflare. The firewall also blocks them; this applies if the firewall is opened."""
    return {"ipAllowList": {"sourceRange": list(ranges)}}


def security_headers() -> Spec:
    """Headers of every response of every app.

    No Content-Security-Policy: the Go API and the Next.js apps set their own. A browser enforces the intersection of
    two, which would block the fonts of the landing page.
    """
    return {
        "headers": {
            "stsSeconds": ONE_YEAR,
            "stsIncludeSubdomains": True,
            # No stsPreload: removing a domain from the preload lists of browsers takes months.
            "frameDeny": True,
            "contentTypeNosniff": True,
            "referrerPolicy": "strict-origin-when-cross-origin",
            "permissionsPolicy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        }
    }


def rate_limit(limit: RateLimit) -> Spec:
    """Limits the requests of one client to one node.

    The client is identified by the address in Cloudflare's header, because thousands of clients share the address of an
    edge server. Only Cloudflare can set the header, because only Cloudflare passes the TLS handshake.
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
    """Tries another pod when one is unreachable: pods of a failed node are listed as ready for about a minute.

    Traefik only retries requests that it has not sent to any pod, so no request is executed twice. Ten attempts,
    because every third may reach the same failed pod.
    """
    return {"retry": {"attempts": 10}}


def admin_auth() -> Spec:
    """HTTP basic authentication in addition to the login of the panel. Apps do not receive the header."""
    return {"basicAuth": {"secret": ADMIN_USERS, "removeHeader": True}}


def tls_options(settings: EdgeSettings) -> Spec:
    """TLS 1.2 or newer, only for the hostnames of the site, with a client certificate of our CA.

    A certificate that is only requested is not verified either. With VerifyClientCertIfGiven, Traefik would reject
    Cloudflare while it still presents another certificate: the one that all its customers share, or one of an old CA.
    """
    return {
        "minVersion": "VersionTLS12",
        # Otherwise Traefik accepts connections without or with another SNI, and presents its default certificate.
        "sniStrict": True,
        "clientAuth": {
            "secretNames": [CLIENT_CA],
            "clientAuthType": "RequireAndVerifyClientCert"
            if settings.client_certificate == "required"
            else "RequestClientCert",
        },
    }


def references(*names: str) -> tuple[str, ...]:
    """Names of middlewares as in the annotation of an Ingress."""
    return tuple(f"{NAMESPACE}-{name}@kubernetescrd" for name in names)


class Middlewares(Component):
    """The middlewares, the TLS options of all connections, and the Secrets that both use.

    Attributes:
        default: middlewares of every Ingress, in this order. The headers come first, so that rejections have them too.
        admin: additional middlewares of the admin panel; empty until honeydue:adminBasicAuth is set.
        objects: dependencies of every Ingress. Traefik drops a route whose middleware does not exist, and without the
            TLS options it would serve clients that have no certificate.
    """

    default: tuple[str, ...]
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
        provider: kubernetes.Provider,
    ) -> None:
        super().__init__("cluster:Middlewares", "middlewares", provider=provider)

        def custom_resource(
            kind: str, name: str, spec: Spec, depends_on: Sequence[pulumi.Resource] = ()
        ) -> CustomResource:
            return CustomResource(
                name,
                api_version="traefik.io/v1alpha1",
                kind=kind,
                metadata=ObjectMetaArgs(name=name, namespace=namespace.name),
                spec=spec,
                opts=self.child_options(depends_on=depends_on),
            )

        specs = {
            CLOUDFLARE_ONLY: cloudflare_only(ranges),
            SECURITY_HEADERS: security_headers(),
            RATE_LIMIT: rate_limit(settings.rate_limit),
            RETRY: retry(),
        }
        self.default = references(*DEFAULT)
        middlewares = [custom_resource("Middleware", name, spec) for name, spec in specs.items()]
        self.admin = ()
        if admin_users is not None:
            users = secret(ADMIN_USERS, {"users": admin_users}, namespace=namespace.name, parent=self)
            middlewares.append(custom_resource("Middleware", ADMIN_AUTH, admin_auth(), depends_on=[users]))
            self.admin = references(ADMIN_AUTH)

        # The certificate is public, but Traefik only reads it from a Secret.
        ca_certificate: pulumi.Output[str] = pulumi.Output.secret(origin_pulls.ca_certificate)
        client_ca = secret(CLIENT_CA, {"ca.crt": ca_certificate}, namespace=namespace.name, parent=self)
        # The name `default` applies it to all connections, so that no Ingress can omit it. It depends on the setting by
        # which Cloudflare presents its certificate. Otherwise a running site would reject Cloudflare itself.
        options = custom_resource(
            "TLSOption", "default", tls_options(settings), depends_on=[client_ca, origin_pulls.enabled]
        )
        self.objects = (*middlewares, options)
        self.register_outputs({})
