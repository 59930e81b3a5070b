"""Creates and loads key pairs."""

from __future__ import annotations

import base64
import hashlib
from typing import Final, TypeAlias

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ..client import ApiError
from ..kinds import Created
from ..values import Props

Key: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_CURVES: Final[dict[str, ec.EllipticCurve]] = {
    "P224": ec.SECP224R1(),
    "P256": ec.SECP256R1(),
    "P384": ec.SECP384R1(),
    "P521": ec.SECP521R1(),
}

# OpenSSH does not support keys on P224 (RFC 5656, section 10.1). The outputs of the real provider are then empty.
_WITHOUT_OPENSSH: Final = ("secp224r1",)


def private_key(props: Props) -> Created:
    """Creates a key pair, and encodes it in all formats of the provider."""
    key = _generate(props)
    public = (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    # Ed25519 has no traditional format, only PKCS#8.
    formats = serialization.PrivateFormat
    computed: Props = {
        "privateKeyPem": _encode(
            key, formats.PKCS8 if isinstance(key, ed25519.Ed25519PrivateKey) else formats.TraditionalOpenSSL
        ),
        "privateKeyPemPkcs8": _encode(key, formats.PKCS8),
        "publicKeyPem": public,
        **_openssh(key),
    }
    return Created(hashlib.sha1(public.encode(), usedforsecurity=False).hexdigest(), computed)


def load_key(pem: str) -> Key:
    """Loads a private key in PEM format. The error message does not contain the key."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        raise ApiError("Failed to parse the private key: it is not an unencrypted private key in PEM format") from None
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        return key
    raise ApiError("unsupported private key: it must be RSA, ECDSA or ED25519")


def algorithm(key: Key) -> str:
    """The name of a key's algorithm in the provider."""
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA"
    return "ECDSA" if isinstance(key, ec.EllipticCurvePrivateKey) else "ED25519"


def _generate(props: Props) -> Key:
    name = props["algorithm"].upper()
    if name == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=int(props["rsaBits"]))
    if name == "ECDSA":
        return ec.generate_private_key(_CURVES[props["ecdsaCurve"].upper()])
    return ed25519.Ed25519PrivateKey.generate()


def _encode(key: Key, format_: serialization.PrivateFormat) -> str:
    return key.private_bytes(serialization.Encoding.PEM, format_, serialization.NoEncryption()).decode()


def _openssh(key: Key) -> Props:
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _WITHOUT_OPENSSH:
        return {
            "privateKeyOpenssh": "",
            "publicKeyOpenssh": "",
            "publicKeyFingerprintMd5": "",
            "publicKeyFingerprintSha256": "",
        }
    line = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    blob = base64.b64decode(line.split()[1])
    md5 = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    sha256 = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return {
        "privateKeyOpenssh": _encode(key, serialization.PrivateFormat.OpenSSH),
        "publicKeyOpenssh": f"{line}\n",
        "publicKeyFingerprintMd5": ":".join(md5[at : at + 2] for at in range(0, len(md5), 2)),
        "publicKeyFingerprintSha256": f"SHA256:{sha256}",
    }
