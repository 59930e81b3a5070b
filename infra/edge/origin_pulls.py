"""Authenticated Origin Pulls: Cloudflare shows our own certificate, so that no other customer's zone reaches the origin.

https://developers.cloudflare.com/ssl/origin-configuration/authenticated-origin-pull/set-up/zone-level/. Without an uploaded
certificate Cloudflare shows one that all of its customers share, which proves nothing.
"""

import pulumi
import pulumi_tls as tls

from infra.component import Component
from infra.sdk import cloudflare
from infra.settings.schema import EdgeSettings

HOURS_A_DAY = 24
RSA_BITS = 2048


class OriginPulls(Component):
    """A certificate authority of this zone alone, the client certificate it signed, and Cloudflare told to show that one.

    The origin trusts the authority and not the certificate itself: a new client certificate then needs no change there. Both
    are valid as long as the origin certificate, which makes one day for all three to be renewed.

    Attributes:
        authority: PEM of what the origin must trust.
        presented: stands when Cloudflare has been told to show the certificate.
    """

    authority: pulumi.Output[str]
    presented: pulumi.Resource

    def __init__(self, domain: str, settings: EdgeSettings, *, zone_id: str, provider: cloudflare.Provider) -> None:
        super().__init__("edge:OriginPulls", "origin-pulls", provider=provider)
        child = pulumi.ResourceOptions(parent=self)
        hours = settings.origin_certificate_days * HOURS_A_DAY

        authority_key = tls.PrivateKey("origin-pulls-authority-key", algorithm="ECDSA", ecdsa_curve="P256", opts=child)
        authority = tls.SelfSignedCert(
            "origin-pulls-authority",
            private_key_pem=authority_key.private_key_pem,
            subject=tls.SelfSignedCertSubjectArgs(common_name=f"{domain} origin pulls", organization="honeyDue"),
            is_ca_certificate=True,
            allowed_uses=["cert_signing"],
            validity_period_hours=hours,
            opts=child,
        )
        # RSA: what Cloudflare's own instructions upload.
        key = tls.PrivateKey("origin-pulls-key", algorithm="RSA", rsa_bits=RSA_BITS, opts=child)
        request = tls.CertRequest(
            "origin-pulls-request",
            private_key_pem=key.private_key_pem,
            subject=tls.CertRequestSubjectArgs(common_name=f"Cloudflare for {domain}", organization="honeyDue"),
            opts=child,
        )
        certificate = tls.LocallySignedCert(
            "origin-pulls-certificate",
            cert_request_pem=request.cert_request_pem,
            ca_cert_pem=authority.cert_pem,
            ca_private_key_pem=authority_key.private_key_pem,
            allowed_uses=["digital_signature", "client_auth"],
            validity_period_hours=hours,
            opts=child,
        )
        private_key: pulumi.Output[str] = pulumi.Output.secret(key.private_key_pem)
        uploaded = cloudflare.AuthenticatedOriginPullsCertificate(
            "origin-pulls",
            zone_id=zone_id,
            certificate=certificate.cert_pem,
            private_key=private_key,
            opts=child,
        )
        self.presented = cloudflare.AuthenticatedOriginPullsSettings(
            "origin-pulls",
            zone_id=zone_id,
            enabled=True,
            # Enabled earlier, Cloudflare would show the certificate that all its customers share.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[uploaded]),
        )
        self.authority = authority.cert_pem
        self.register_outputs({})
