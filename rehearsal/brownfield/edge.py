"""The configuration that was made in the Cloudflare dashboard: DNS records, the TLS mode and an origin certificate."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cloudflare import Cloudflare
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rehearsal.clouds import console
from rehearsal.control_plane.nodes import Node
from rehearsal.errors import RehearsalError

NAMES = ("api", "admin", "app", "@")
AUTOMATIC_TTL = 1
FIFTEEN_YEARS: Literal[5475] = 5475
RSA_BITS = 2048
"""The default of the dashboard."""


@dataclass(frozen=True, kw_only=True)
class TlsPair:
    """An origin certificate and its key, which the dashboard shows once."""

    certificate: str
    private_key: str


def configure_zone(clouds: Path, domain: str, nodes: Sequence[Node]) -> TlsPair:
    """Creates the records, the certificate and the TLS mode. The other zone settings keep their defaults."""
    client, zone = console.cloudflare_client(clouds), console.zone_id(clouds)
    for name in NAMES:
        fqdn = domain if name == "@" else f"{name}.{domain}"
        for node in nodes:
            client.dns.records.create(
                zone_id=zone, name=fqdn, type="A", content=str(node.ipv4), proxied=True, ttl=AUTOMATIC_TTL
            )
    pair = _create_certificate(client, domain)
    # The mode was Flexible until the certificate was installed on 2026-04-24.
    for mode in ("flexible", "strict"):
        client.zones.settings.edit("ssl", zone_id=zone, value=mode)
    return pair


def _create_certificate(client: Cloudflare, domain: str) -> TlsPair:
    """Creates a certificate for a key that Cloudflare generates: the program has neither the key nor the request."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    created = client.origin_ca_certificates.create(
        csr=request.public_bytes(serialization.Encoding.PEM).decode(),
        hostnames=[f"*.{domain}", domain],
        request_type="origin-rsa",
        requested_validity=FIFTEEN_YEARS,
    )
    if created is None or created.certificate is None:
        raise RehearsalError("the simulated Cloudflare returned no origin certificate")
    return TlsPair(
        certificate=created.certificate,
        private_key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )
