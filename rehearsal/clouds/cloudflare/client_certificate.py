"""Validation of an uploaded client certificate."""

from __future__ import annotations

from typing import Never

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ..store import Object
from .answers import refuse


def validate(certificate_pem: str, key_pem: str) -> None:
    """Refuses the request if this pair cannot be used. No message contains the key."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        key = serialization.load_pem_private_key(key_pem.encode(), password=None)
    except (ValueError, TypeError):
        _refuse_pair()
    if _public_bytes(certificate.public_key()) != _public_bytes(key.public_key()):
        _refuse_pair()
    if _is_authority(certificate):
        # https://github.com/cloudflare/cloudflare-docs/issues/6798
        refuse(1412, "Only leaf certificate is allowed.")


def details(certificate_pem: str) -> Object:
    """What the API returns about a certificate."""
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    digest = certificate.signature_hash_algorithm
    return {
        "expires_on": certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "issuer": certificate.issuer.rfc4514_string(),
        "serial_number": str(certificate.serial_number),
        "signature": f"{type(certificate.public_key()).__name__}-{digest.name if digest else 'none'}",
    }


def _refuse_pair() -> Never:
    # https://developers.cloudflare.com/ssl/edge-certificates/custom-certificates/troubleshooting/
    refuse(2200, "The certificate and private key pair you uploaded is invalid")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _public_bytes(key: object) -> bytes:
    encode = getattr(key, "public_bytes")  # noqa: B009  # every public key has it; the union of their types has no name
    return bytes(encode(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
