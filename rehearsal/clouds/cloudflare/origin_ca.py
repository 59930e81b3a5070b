"""A simulated Cloudflare Origin CA (https://developers.cloudflare.com/ssl/origin-configuration/origin-ca/)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_ROOT_DAYS: Final = 30 * 365

_ROOT_NAME: Final = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "CloudFlare, Inc."),
        x509.NameAttribute(
            NameOID.ORGANIZATIONAL_UNIT_NAME, "CloudFlare Origin SSL ECC Certificate Authority (rehearsal)"
        ),
    ]
)
_LEAF_NAME: Final = x509.Name(
    [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "CloudFlare, Inc."),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "CloudFlare Origin CA"),
        x509.NameAttribute(NameOID.COMMON_NAME, "CloudFlare Origin Certificate"),
    ]
)


@dataclass(frozen=True)
class OriginCa:
    """The certificate and key of the CA."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def origin_ca(internal: dict[str, Any]) -> OriginCa:
    """The CA of the account, which is stored in the cloud's state and created when it is first needed."""
    stored = internal.get("origin_ca")
    if stored is None:
        ca = _create_ca()
        stored = internal["origin_ca"] = {
            "certificate": ca.certificate.public_bytes(serialization.Encoding.PEM).decode(),
            "private_key": ca.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ).decode(),
        }
    key = serialization.load_pem_private_key(stored["private_key"].encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the private key of origin_ca in the state is not an elliptic curve key")
    return OriginCa(x509.load_pem_x509_certificate(stored["certificate"].encode()), key)


def load_csr(pem: str) -> x509.CertificateSigningRequest | None:
    """The certificate signing request, or None if it is invalid or not signed with its own key."""
    try:
        request = x509.load_pem_x509_csr(pem.encode())
    except ValueError:
        return None
    return request if request.is_signature_valid else None


def sign(ca: OriginCa, request: x509.CertificateSigningRequest, hostnames: Sequence[str], days: int) -> tuple[str, str]:
    """Issues a certificate for the key of the request, and returns it with its expiry.

    As at Cloudflare, the subject is constant, and the names are those of the API request instead of the CSR's.
    """
    start = datetime.now(UTC).replace(microsecond=0)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_LEAF_NAME)
        .issuer_name(ca.certificate.subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.KeyUsage(True, False, True, False, False, False, False, False, False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(request.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hostnames]), critical=False)
        .sign(ca.key, hashes.SHA256())
    )
    end = (start + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), end


def _create_ca() -> OriginCa:
    key = ec.generate_private_key(ec.SECP256R1())
    start = datetime.now(UTC).replace(microsecond=0)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_ROOT_NAME)
        .issuer_name(_ROOT_NAME)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - timedelta(days=1))
        .not_valid_after(start + timedelta(days=_ROOT_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return OriginCa(certificate, key)
