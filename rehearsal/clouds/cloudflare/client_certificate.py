"""Cloudflare's checks of an uploaded client certificate, and the attributes that it derives from it."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ..values import Props


def pair_error(certificate_pem: str, key_pem: str) -> str | None:
    """The error message for an invalid pair of certificate and key. It does not contain the key."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    except ValueError:
        return "the certificate cannot be parsed"
    try:
        key = serialization.load_pem_private_key(key_pem.encode(), password=None)
    except (ValueError, TypeError):
        return "the private key cannot be parsed"
    if _public_bytes(certificate.public_key()) != _public_bytes(key.public_key()):
        return "the private key is not the key of the certificate"
    return None


def attributes(certificate_pem: str) -> Props:
    """The attributes of a certificate that the API returns."""
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    digest = certificate.signature_hash_algorithm
    return {
        "expiresOn": certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "issuer": certificate.issuer.rfc4514_string(),
        "serialNumber": str(certificate.serial_number),
        "signature": f"{type(certificate.public_key()).__name__}-{digest.name if digest else 'none'}",
    }


def _public_bytes(key: object) -> bytes:
    # Every type of public key has this method, but their union has no common base class.
    encode = getattr(key, "public_bytes")  # noqa: B009
    return bytes(encode(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
