"""What one server hands to the next, and keeps in etcd under the token's lock: authorities, the key of the service accounts, encryption."""

import base64
import hashlib
import json
import secrets
import ssl
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from rehearsal.errors import RehearsalError
from rehearsal.machines.config import Config
from rehearsal.machines.etcd import Etcd
from rehearsal.machines.machine import SUPERVISOR_PORT
from rehearsal.pki import write_private

FILES: Mapping[str, str] = {
    "ServerCA": "tls/server-ca.crt",
    "ServerCAKey": "tls/server-ca.key",
    "ClientCA": "tls/client-ca.crt",
    "ClientCAKey": "tls/client-ca.key",
    "RequestHeaderCA": "tls/request-header-ca.crt",
    "RequestHeaderCAKey": "tls/request-header-ca.key",
    "ETCDPeerCA": "tls/etcd/peer-ca.crt",
    "ETCDPeerCAKey": "tls/etcd/peer-ca.key",
    "ETCDServerCA": "tls/etcd/server-ca.crt",
    "ETCDServerCAKey": "tls/etcd/server-ca.key",
    "ServiceKey": "tls/service.key",
    "EncryptionConfig": "cred/encryption-config.json",
}
"""k3s' names for them, and where they stand below its `server` folder."""
ASK_SECONDS = 10


def create_encryption(server: Path) -> None:
    """The key that Secrets are encrypted with in etcd; the one that is there stays."""
    file = server / FILES["EncryptionConfig"]
    if file.exists():
        return
    key = {"name": "aescbckey", "secret": base64.b64encode(secrets.token_bytes(32)).decode()}
    providers = [{"aescbc": {"keys": [key]}}, {"identity": {}}]
    file.parent.mkdir(parents=True, exist_ok=True)
    resources = [{"resources": ["secrets"], "providers": providers}]
    write_private(
        file,
        json.dumps(
            {"kind": "EncryptionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1", "resources": resources}
        ).encode(),
    )


def told(server: Path) -> str:
    """All of it, as the answer to a server that joins."""
    found = {name: server / path for name, path in FILES.items() if (server / path).exists()}
    return json.dumps({name: {"Content": base64.b64encode(file.read_bytes()).decode()} for name, file in found.items()})


def take(answer: str, server: Path) -> None:
    """Puts in place what another server told."""
    for name, file in json.loads(answer).items():
        target = server / FILES[name]
        target.parent.mkdir(parents=True, exist_ok=True)
        write_private(target, base64.b64decode(file["Content"]))


def ask(address: str, config: Config) -> str:
    """What the server there tells to one that has the cluster's token; OSError while it cannot be asked."""
    url = f"https://{address}:{SUPERVISOR_PORT}"
    # Whom to believe is not known yet: the hash in the token says.
    anybody = ssl._create_unverified_context()  # noqa: S323  # as said above
    with urllib.request.urlopen(f"{url}/cacerts", context=anybody, timeout=ASK_SECONDS) as reply:  # noqa: S310  # always https
        authority = reply.read()
    if config.authority_hash and hashlib.sha256(authority).hexdigest() != config.authority_hash:
        raise RehearsalError(f"token CA hash does not match the Cluster CA certificate hash: of {address}")
    credentials = base64.b64encode(f"server:{config.password}".encode()).decode()
    request = urllib.request.Request(  # noqa: S310  # always https
        f"{url}/v1-k3s/server-bootstrap", headers={"Authorization": f"Basic {credentials}"}
    )
    trusting = ssl.create_default_context(cadata=authority.decode())
    with urllib.request.urlopen(request, context=trusting, timeout=ASK_SECONDS) as reply:  # noqa: S310  # always https
        answer: str = reply.read().decode()
    return answer


def keep_in(etcd: Etcd, server: Path, password: str) -> None:
    """Keeps it in etcd, for the day when only a snapshot and the token are left."""
    etcd.run("put", _place(password), stdin=_lock(password).encrypt(told(server).encode()).decode())


def restore_from(etcd: Etcd, server: Path, password: str) -> None:
    """Puts in place what a snapshot holds; a RehearsalError without the token that it was locked with."""
    held = etcd.run("get", _place(password), "--print-value-only").strip()
    try:
        take(_lock(password).decrypt(held).decode(), server)
    except InvalidToken as error:
        raise RehearsalError("bootstrap data already found and encrypted with different token") from error


def _place(password: str) -> str:
    return f"/bootstrap/{hashlib.sha256(password.encode()).hexdigest()[:12]}"


def _lock(password: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(password.encode()).digest()))
