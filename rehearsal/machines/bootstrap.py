"""k3s' bootstrap data: the CAs, the service account key and the encryption configuration, which all servers share.

A server that joins fetches it from another server. It is also stored in etcd, encrypted with the cluster token, so that
a snapshot and the token are enough to restore a cluster.
"""

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
"""The path of each file below k3s' `server` folder, by the name that k3s uses in the bootstrap data."""
REQUEST_SECONDS = 10


def create_encryption_config(server: Path) -> None:
    """Creates the key that encrypts Secrets in etcd, unless the file exists."""
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


def serialize(server: Path) -> str:
    """The bootstrap data of a server, as JSON."""
    files = {name: server / path for name, path in FILES.items() if (server / path).exists()}
    return json.dumps({name: {"Content": base64.b64encode(file.read_bytes()).decode()} for name, file in files.items()})


def write(data: str, server: Path) -> None:
    """Writes the files of serialized bootstrap data below the `server` folder."""
    for name, file in json.loads(data).items():
        target = server / FILES[name]
        target.parent.mkdir(parents=True, exist_ok=True)
        write_private(target, base64.b64decode(file["Content"]))


def credentials(user: str, config: Config) -> str:
    """The header with which a user of k3s authenticates. The password is that of the cluster token."""
    return f"Basic {base64.b64encode(f'{user}:{config.password}'.encode()).decode()}"


def fetch(address: str, config: Config) -> str:
    """Fetches the bootstrap data from another server, authenticated by the cluster token.

    Raises OSError when the server cannot be reached, and RehearsalError when its CA is not the one of the token, or
    when a critical option of this server has another value.
    """
    url = f"https://{address}:{SUPERVISOR_PORT}"
    # The CA is not known yet. Its hash in the token authenticates it.
    unverified = ssl._create_unverified_context()  # noqa: S323  # verified by its hash, below
    with urllib.request.urlopen(  # noqa: S310  # always https
        f"{url}/cacerts", context=unverified, timeout=REQUEST_SECONDS
    ) as response:
        ca = response.read()
    if config.ca_hash and hashlib.sha256(ca).hexdigest() != config.ca_hash:
        raise RehearsalError(f"token CA hash does not match the Cluster CA certificate hash: of {address}")
    verified = ssl.create_default_context(cadata=ca.decode())

    def get(user: str, path: str) -> str:
        headers = {"Authorization": credentials(user, config)}
        request = urllib.request.Request(f"{url}/v1-k3s/{path}", headers=headers)  # noqa: S310  # always https
        with urllib.request.urlopen(  # noqa: S310  # always https
            request, context=verified, timeout=REQUEST_SECONDS
        ) as response:
            data: str = response.read().decode()
        return data

    compare_critical_options(config.critical, json.loads(get("node", "config")))
    return get("server", "server-bootstrap")


def compare_critical_options(own: Mapping[str, object], others: Mapping[str, object]) -> None:
    """Raises RehearsalError when a server differs from the one that it joins (`compareConfig` in pkg/cluster)."""
    if different := [name for name, value in own.items() if others.get(name) != value]:
        raise RehearsalError(f"critical configuration value mismatch between servers: {', '.join(different)}")


def save_to(etcd: Etcd, server: Path, password: str) -> None:
    """Stores the bootstrap data in etcd, encrypted with the token."""
    etcd.run("put", _etcd_key(password), stdin=_cipher(password).encrypt(serialize(server).encode()).decode())


def restore_from(etcd: Etcd, server: Path, password: str) -> None:
    """Writes the bootstrap data that etcd contains. Raises RehearsalError when another token encrypted it."""
    encrypted = etcd.run("get", _etcd_key(password), "--print-value-only").strip()
    try:
        write(_cipher(password).decrypt(encrypted).decode(), server)
    except InvalidToken as error:
        raise RehearsalError("bootstrap data already found and encrypted with different token") from error


def _etcd_key(password: str) -> str:
    return f"/bootstrap/{hashlib.sha256(password.encode()).hexdigest()[:12]}"


def _cipher(password: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(password.encode()).digest()))
