"""What Cloudflare looks at in an uploaded client certificate."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ..values import Props


def problem(certificate_pem: str, key_pem: str) -> str | None:
    """Why this pair cannot be used, if it cannot. Says nothing of the key's content."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    except ValueError:
        return "the certificate cannot be parsed"
    try:
        key = serialization.load_pem_private_key(key_pem.encode(), password=None)
    except (ValueError, TypeError):
        return "the private key cannot be parsed"
    if _public_bytes(certificate.public_key()) != _public_bytes(key.public_key()):
        return "the certificate and the private key do not belong together"
    return None


def facts(certificate_pem: str) -> Props:
    """What the API tells of a certificate."""
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    digest = certificate.signature_hash_algorithm
    return {
        "expiresOn": certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "issuer": certificate.issuer.rfc4514_string(),
        "serialNumber": str(certificate.serial_number),
        "signature": f"{type(certificate.public_key()).__name__}-{digest.name if digest else 'none'}",
    }


def _public_bytes(key: object) -> bytes:
    encode = getattr(key, "public_bytes")  # noqa: B009 - every public key has it; the union of their types has no common name
    return bytes(encode(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
