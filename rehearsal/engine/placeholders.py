"""Placeholders for the secrets of the stack, which are not in the repository. They are valid only in the world."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from rehearsal import pki

_LENGTHS = {
    # The lengths of real tokens. The providers reject others.
    "hetznerToken": 64,
    "cloudflareToken": 40,
}
_DEFAULT_LENGTH = 48
_HOOKS = "https://hooks.rehearsal.invalid/"
"""The prefix of the secrets that are URLs."""
ADMIN_USERS = "rehearsal-admin:$2b$05$PLOIFr/3NM50Cf.CGqk8..TINFxldNoDYwaNs1068PJrbTUnQKrY2"
"""An htpasswd line. The password is `rehearsal`."""


def placeholder(key: str, folder: Path) -> object:
    """The value of a required settings key. It is constant within a world: another value would show as a change.

    Generated keys are stored in `folder`.
    """
    match key:
        case "apnsKey":
            return _load_or_create(folder / "apns.p8", lambda: pki.private_pem(ec.generate_private_key(ec.SECP256R1())))
        case "sshKeys":
            return {"rehearsal": _load_or_create(folder / "operator.pub", _ssh_public_key)}
        case "adminEmail" | "emailUser":
            return f"{key.lower()}@rehearsal.invalid"
        case "adminBasicAuth":
            return ADMIN_USERS
        case "joinToken":
            return f"K10{hashlib.sha256(key.encode()).hexdigest()}::server:{_token(key)}"
        case _:
            return (_HOOKS if key.endswith("Url") else "") + _token(key)


def _token(key: str) -> str:
    """A value that starts with `rehearsal-<key>`, so that a search for this text finds a leaked secret."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"rehearsal-{key}-{digest}"[: _LENGTHS.get(key, _DEFAULT_LENGTH)]


def _load_or_create(file: Path, create: Callable[[], bytes]) -> str:
    if not file.exists():
        pki.write_private(file, create())
    return file.read_text()


def _ssh_public_key() -> bytes:
    # The private key is discarded: nobody logs in to a simulated machine.
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    return public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH) + b" rehearsal"
