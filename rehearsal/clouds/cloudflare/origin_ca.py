"""The certificate authority that simulates Cloudflare's Origin CA.

https://developers.cloudflare.com/ssl/origin-configuration/origin-ca/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..store import Json

_ROOT_DAYS: Final = 30 * 365

_ROOT_NAME: Final = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "CloudFlare, Inc."),
        x509.NameAttribute(
            NameOID.ORGANIZATIONAL_UNIT_NAME, "CloudFlare Origin SSL ECC Certificate OriginCa (rehearsal)"
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
    """A certificate authority."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A signed certificate."""

    serial_number: str
    pem: str
    expires: datetime


def origin_ca(private: dict[str, Json]) -> OriginCa:
    """The account's authority, from the private part of the state; the first call creates it."""
    if "origin_ca" not in private:
        created = _create_ca()
        private["origin_ca"] = {
            "certificate": created.certificate.public_bytes(serialization.Encoding.PEM).decode(),
            "private_key": created.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ).decode(),
        }
    key = serialization.load_pem_private_key(private["origin_ca"]["private_key"].encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the key of the state's origin_ca is no elliptic curve key")
    return OriginCa(x509.load_pem_x509_certificate(private["origin_ca"]["certificate"].encode()), key)


def load_csr(pem: str) -> x509.CertificateSigningRequest | None:
    """The certificate signing request; None if it is none, or not signed with its own key."""
    try:
        request = x509.load_pem_x509_csr(pem.encode())
    except ValueError:
        return None
    return request if request.is_signature_valid else None


def sign(by: OriginCa, request: x509.CertificateSigningRequest, hostnames: Sequence[str], days: int) -> Signed:
    """A certificate for the request's key and these names; the subject and names in the request have no effect."""
    # The validity starts at a full minute, like that of Cloudflare's certificates.
    start = datetime.now(UTC).replace(second=0, microsecond=0)
    expires = start + timedelta(days=days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_LEAF_NAME)
        .issuer_name(by.certificate.subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(expires)
        .add_extension(x509.KeyUsage(True, False, True, False, False, False, False, False, False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(request.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hostnames]), critical=False)
        .sign(by.key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return Signed(serial_number=str(certificate.serial_number), pem=pem, expires=expires)


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
