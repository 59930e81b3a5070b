"""Values that stand for what the repository cannot ship. None of them opens anything outside the world."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from rehearsal import pki

_LENGTHS = {
    # As long as the real ones: providers refuse a token of another length.
    "hetznerToken": 64,
    "cloudflareToken": 40,
}
_DEFAULT_LENGTH = 48
ADMIN_USERS = "rehearsal-admin:$2b$05$PLOIFr/3NM50Cf.CGqk8..TINFxldNoDYwaNs1068PJrbTUnQKrY2"
"""The password is `rehearsal`."""


def placeholder(key: str, folder: Path) -> object:
    """The value for one required key. The same for every call in one world, so that nothing looks changed."""
    match key:
        case "apnsKey":
            return _kept(folder / "apns.p8", lambda: pki.private_pem(ec.generate_private_key(ec.SECP256R1())))
        case "sshKeys":
            return {"rehearsal": _kept(folder / "operator.pub", _ssh_public_key)}
        case "adminEmail" | "emailUser":
            return f"{key.lower()}@rehearsal.invalid"
        case "adminBasicAuth":
            return ADMIN_USERS
        case "joinToken":
            return f"K10{hashlib.sha256(key.encode()).hexdigest()}::server:{_recognisable(key)}"
        case _:
            return _recognisable(key)


def _recognisable(key: str) -> str:
    """Begins with `rehearsal-` and its key: a leak is found by searching for it."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"rehearsal-{key}-{digest}"[: _LENGTHS.get(key, _DEFAULT_LENGTH)]


def _kept(file: Path, make: Callable[[], bytes]) -> str:
    if not file.exists():
        pki.write_private(file, make())
    return file.read_text()


def _ssh_public_key() -> bytes:
    # The private half is forgotten at once: nobody logs in here.
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    return public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH) + b" rehearsal"
