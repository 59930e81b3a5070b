"""The configuration that was made in the Cloudflare dashboard: DNS records, the TLS mode and an origin certificate."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rehearsal.clouds.account import read_account
from rehearsal.clouds.existing import provision, state
from rehearsal.control_plane.nodes import Node

CERTIFICATE = "cloudflare:index/originCaCertificate:OriginCaCertificate"
RECORD = "cloudflare:index/dnsRecord:DnsRecord"
SETTING = "cloudflare:index/zoneSetting:ZoneSetting"
NAMES = ("api", "admin", "app", "@")
FIFTEEN_YEARS = 5475
RSA_BITS = 2048
"""The default of the dashboard."""


@dataclass(frozen=True, kw_only=True)
class TlsPair:
    """An origin certificate and its key, which the dashboard shows once."""

    certificate: str
    private_key: str


def configure_zone(clouds: Path, domain: str, nodes: Sequence[Node]) -> TlsPair:
    """Creates the records, the certificate and the TLS mode. The other zone settings keep their defaults."""
    zone = read_account(clouds).zones[domain]
    for name in NAMES:
        fqdn = domain if name == "@" else f"{name}.{domain}"
        for node in nodes:
            provision(
                clouds,
                RECORD,
                {"zoneId": zone, "name": fqdn, "type": "A", "content": node.ipv4, "proxied": True, "ttl": 1},
            )
    pair = _create_certificate(clouds, domain)
    # The mode was Flexible until the certificate was installed on 2026-04-24.
    for mode in ("flexible", "strict"):
        provision(clouds, SETTING, {"zoneId": zone, "settingId": "ssl", "value": mode})
    return pair


def _create_certificate(clouds: Path, domain: str) -> TlsPair:
    """Creates a certificate for a key that Cloudflare generates: the program has neither the key nor the request."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    id_ = provision(
        clouds,
        CERTIFICATE,
        {
            "csr": request.public_bytes(serialization.Encoding.PEM).decode(),
            "hostnames": [f"*.{domain}", domain],
            "requestType": "origin-rsa",
            "requestedValidity": FIFTEEN_YEARS,
        },
    )
    return TlsPair(
        certificate=state(clouds, "cloudflare").of(CERTIFICATE)[id_]["certificate"],
        private_key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )
