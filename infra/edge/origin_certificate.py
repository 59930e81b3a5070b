"""The certificate our origin shows to Cloudflare, from Cloudflare's own Origin CA (book ch13, ch20)."""

import pulumi
import pulumi_tls as tls

from infra.component import Component
from infra.sdk import cloudflare
from infra.settings.schema import EdgeSettings


class OriginCertificate(Component):
    """Key, CSR and certificate for the domain and everything directly under it.

    Every input of it replaces the certificate, so all are explicit and it is protected. There is no automatic renewal:
    the expiry is an output, and renewal is `pulumi state taint` on it, then an `up` that means it (docs/guard-rails.md).

    Attributes:
        certificate: PEM.
        private_key: PEM, secret.
        expires_on: as Cloudflare writes it.
    """

    certificate: pulumi.Output[str]
    private_key: pulumi.Output[str]
    expires_on: pulumi.Output[str]

    def __init__(self, domain: str, settings: EdgeSettings, *, provider: cloudflare.Provider) -> None:
        super().__init__("edge:OriginCertificate", "origin-certificate", provider=provider)
        child = pulumi.ResourceOptions(parent=self)
        key = tls.PrivateKey("origin-key", algorithm="ECDSA", ecdsa_curve="P256", opts=child)
        # Sorted: another order of the same names would replace the certificate.
        names = sorted([domain, f"*.{domain}"])
        request = tls.CertRequest(
            "origin-request",
            private_key_pem=key.private_key_pem,
            dns_names=names,
            subject=tls.CertRequestSubjectArgs(common_name=domain, organization="honeyDue"),
            opts=child,
        )
        certificate = cloudflare.OriginCaCertificate(
            "origin",
            csr=request.cert_request_pem,
            hostnames=names,
            request_type="origin-ecc",
            requested_validity=settings.origin_certificate_days,
            opts=child,
        )
        self.certificate = certificate.certificate
        self.private_key = pulumi.Output.secret(key.private_key_pem)
        self.expires_on = certificate.expires_on
        self.register_outputs({"expires_on": self.expires_on})
