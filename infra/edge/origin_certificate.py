"""The certificate that our origin presents to Cloudflare, issued by Cloudflare's Origin CA."""

import re
from datetime import UTC, datetime

import pulumi
import pulumi_tls as tls

from infra.component import Component
from infra.sdk import cloudflare
from infra.settings.schema import EdgeSettings


def rfc3339(expiry: str) -> str:
    """The expiry as "2040-04-05T13:40:00Z".

    Cloudflare documents RFC 3339 and returns "2040-04-05 13:40:00 +0000 UTC", the format of Go's `time.Time`
    (https://github.com/cloudflare/python-cloudflare/issues/38). An unknown format is returned unchanged.
    """
    # Go appends the name of the time zone to its offset.
    try:
        parsed = datetime.fromisoformat(re.sub(r" ([+-]\d{4}) \w+$", r"\1", expiry))
    except ValueError:
        return expiry
    return parsed.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if parsed.tzinfo else expiry


class OriginCertificate(Component):
    """Key, CSR and certificate for the domain and its direct subdomains.

    A change of any input replaces the certificate, so all inputs are explicit. There is no automatic renewal: the
    expiry is an output of the stack. To renew it, taint it with `pulumi state taint` and confirm its replacement
    (docs/guard-rails.md).

    Attributes:
        certificate: PEM.
        private_key: PEM, secret.
        expires_on: in RFC 3339.
    """

    certificate: pulumi.Output[str]
    private_key: pulumi.Output[str]
    expires_on: pulumi.Output[str]

    def __init__(self, domain: str, settings: EdgeSettings, *, provider: cloudflare.Provider) -> None:
        super().__init__("edge:OriginCertificate", "origin-certificate", provider=provider)
        key = tls.PrivateKey("origin-key", algorithm="ECDSA", ecdsa_curve="P256", opts=self.child_options())
        # Sorted, because another order of the same names would replace the certificate.
        names = sorted([domain, f"*.{domain}"])
        request = tls.CertRequest(
            "origin-request",
            private_key_pem=key.private_key_pem,
            dns_names=names,
            subject=tls.CertRequestSubjectArgs(common_name=domain, organization="honeyDue"),
            opts=self.child_options(),
        )
        certificate = cloudflare.OriginCaCertificate(
            "origin",
            csr=request.cert_request_pem,
            hostnames=names,
            request_type="origin-ecc",
            requested_validity=settings.origin_certificate_days,
            opts=self.child_options(),
        )
        self.certificate = certificate.certificate
        self.private_key = pulumi.Output.secret(key.private_key_pem)
        self.expires_on = certificate.expires_on.apply(rfc3339)
        self.register_outputs({"expires_on": self.expires_on})
