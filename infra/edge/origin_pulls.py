"""Authenticated Origin Pulls: Cloudflare presents our client certificate, so that its other customers are rejected.

https://developers.cloudflare.com/ssl/origin-configuration/authenticated-origin-pull/set-up/zone-level/. Without an
uploaded certificate, Cloudflare presents one that all of its customers share, which does not identify this zone.
"""

import hashlib

import pulumi
import pulumi_tls as tls

from infra.component import Component
from infra.sdk import cloudflare
from infra.settings.schema import EdgeSettings

HOURS_PER_DAY = 24
RSA_BITS = 2048


def authority_id(ca_certificate: str) -> str:
    """Identifies a CA in the subject of its client certificate, and so in Traefik's access log."""
    return hashlib.sha256(ca_certificate.encode()).hexdigest()[:16]


class OriginPulls(Component):
    """A CA for this zone, the client certificate that it signed, and the setting by which Cloudflare presents it.

    The origin trusts the CA and not the certificate itself, so that a new client certificate needs no change there.
    Both are valid as long as the origin certificate: all three are renewed on the same day.

    Attributes:
        ca_certificate: PEM of the CA that the origin must trust.
        enabled: the resource after which Cloudflare presents the certificate.
    """

    ca_certificate: pulumi.Output[str]
    enabled: pulumi.Resource

    def __init__(self, domain: str, settings: EdgeSettings, *, zone_id: str, provider: cloudflare.Provider) -> None:
        super().__init__("edge:OriginPulls", "origin-pulls", provider=provider)
        validity_hours = settings.origin_certificate_days * HOURS_PER_DAY
        ca_key = tls.PrivateKey(
            "origin-pulls-authority-key", algorithm="ECDSA", ecdsa_curve="P256", opts=self.child_options()
        )
        ca = tls.SelfSignedCert(
            "origin-pulls-authority",
            private_key_pem=ca_key.private_key_pem,
            subject=tls.SelfSignedCertSubjectArgs(common_name=f"{domain} origin pulls", organization="honeyDue"),
            is_ca_certificate=True,
            allowed_uses=["cert_signing"],
            validity_period_hours=validity_hours,
            opts=self.child_options(),
        )
        # RSA, as in Cloudflare's instructions.
        key = tls.PrivateKey("origin-pulls-key", algorithm="RSA", rsa_bits=RSA_BITS, opts=self.child_options())
        request = tls.CertRequest(
            "origin-pulls-request",
            private_key_pem=key.private_key_pem,
            subject=tls.CertRequestSubjectArgs(
                common_name=f"Cloudflare for {domain}",
                organization="honeyDue",
                serial_number=ca.cert_pem.apply(authority_id),
            ),
            opts=self.child_options(),
        )
        certificate = tls.LocallySignedCert(
            "origin-pulls-certificate",
            cert_request_pem=request.cert_request_pem,
            ca_cert_pem=ca.cert_pem,
            ca_private_key_pem=ca_key.private_key_pem,
            allowed_uses=["digital_signature", "client_auth"],
            validity_period_hours=validity_hours,
            opts=self.child_options(),
        )
        private_key: pulumi.Output[str] = pulumi.Output.secret(key.private_key_pem)
        uploaded = cloudflare.AuthenticatedOriginPullsCertificate(
            "origin-pulls",
            zone_id=zone_id,
            certificate=certificate.cert_pem,
            private_key=private_key,
            opts=self.child_options(),
        )
        self.enabled = cloudflare.AuthenticatedOriginPullsSettings(
            "origin-pulls",
            zone_id=zone_id,
            enabled=True,
            # Before the upload, Cloudflare would present the certificate that all its customers share.
            opts=self.child_options(depends_on=[uploaded]),
        )
        self.ca_certificate = ca.cert_pem
        self.register_outputs({})
