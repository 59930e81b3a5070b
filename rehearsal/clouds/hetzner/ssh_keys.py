"""SSH keys (https://docs.hetzner.cloud/reference/cloud#ssh-keys)."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from ..cloud import Cloud
from ..store import Object
from .collection import Body, Collection, required
from .errors import RefusedError, invalid_input


def _create(cloud: Cloud, body: Body) -> tuple[Object, Body]:
    public_key = required(body, "public_key")
    fingerprint = _fingerprint(public_key)
    if any(other["fingerprint"] == fingerprint for other in cloud.of("ssh_keys").values()):
        raise RefusedError("uniqueness_error", "SSH key with the same fingerprint already exists")
    return SSH_KEYS.add(cloud, body, public_key=public_key, fingerprint=fingerprint), {}


def _fingerprint(public_key: str) -> str:
    words = str(public_key).split()
    try:
        blob = base64.b64decode(words[1], validate=True)
        # The key repeats its type at its beginning (RFC 4253, section 6.6).
        type_ = words[0].encode()
        if int.from_bytes(blob[:4], "big") != len(type_) or not blob[4:].startswith(type_):
            raise ValueError
    except (IndexError, ValueError):
        raise invalid_input("public_key", "SSH key is not a valid public key in OpenSSH format") from None
    return hashlib.md5(blob, usedforsecurity=False).digest().hex(":")


SSH_KEYS: Final = Collection(
    name="ssh_keys", singular="ssh_key", title="SSH key", create=_create, filters=("fingerprint",)
)
