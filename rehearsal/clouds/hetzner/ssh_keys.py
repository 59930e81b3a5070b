"""SSH keys."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from ..kinds import Cloud, Created, Kind
from ..values import Props
from . import common
from .common import api_error, invalid_input


def _key_blob(text: str) -> bytes:
    try:
        algorithm, encoded = text.split()[:2]
        blob = base64.b64decode(encoded, validate=True)
        if int.from_bytes(blob[:4], "big") != len(algorithm) or blob[4 : 4 + len(algorithm)] != algorithm.encode():
            raise ValueError
    except ValueError:
        raise invalid_input("public_key", "SSH key is not a valid public key in OpenSSH format") from None
    return blob


def _fingerprint(text: str) -> str:
    digest = hashlib.md5(_key_blob(text), usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def _validate_key(cloud: Cloud, id_: str | None, props: Props) -> None:
    common.check_unique_name(cloud, common.SSH_KEY, id_, props, "SSH key")
    fingerprint = _fingerprint(props["publicKey"])
    if any(live["fingerprint"] == fingerprint for key, live in cloud.of(common.SSH_KEY).items() if key != id_):
        raise api_error("uniqueness_error", "SSH key not unique: the public key is already used")


def _create_key(cloud: Cloud, props: Props) -> Created:
    return Created(str(cloud.state.next_id()), {"fingerprint": _fingerprint(props["publicKey"])})


KINDS: Final = (
    Kind(
        type=common.SSH_KEY,
        dialect="framework",
        auto_named=True,
        create=_create_key,
        replaces=frozenset({"publicKey"}),
        # The comment after the key is not significant.
        canonical={"publicKey": lambda value: " ".join(str(value).split()[:2])},
        validators={"labels": common.label_error},
        validate=_validate_key,
    ),
)
