"""SSH keys (terraform-provider-hcloud, internal/sshkey/resource.go)."""

from __future__ import annotations

from typing import Final

from ..client import Client
from ..kinds import Created, Kind
from ..values import Props
from .objects import changes, deleter, invalid_labels, reader
from .vendor import framework


def _properties(key: Props) -> Props:
    shared = {name: key[name] for name in ("name", "labels", "fingerprint")}
    return {**shared, "publicKey": key["public_key"]}


def _create(client: Client, inputs: Props) -> Created:
    body = {"name": inputs["name"], "public_key": inputs["publicKey"], "labels": inputs.get("labels") or {}}
    key = client.post("ssh_keys", body)["ssh_key"]
    return Created(str(key["id"]), _properties(key))


def _update(client: Client, id_: str, old: Props, new: Props) -> Props:
    body = changes(old, new, {"name": "name", "labels": "labels"})
    return _properties(client.put(f"ssh_keys/{id_}", body)["ssh_key"])


KIND: Final = framework(
    Kind(
        type="hcloud:index/sshKey:SshKey",
        dialect="framework",
        auto_named=True,
        create=_create,
        read=reader("ssh_keys", "ssh_key", _properties),
        update=_update,
        delete=deleter("ssh_keys"),
        replaces=frozenset({"publicKey"}),
        validators={"labels": invalid_labels},
    )
)
