"""Registers a machine's Node, and cleans up after a deleted Node as k3s does.

The cleanup removes the etcd member and the node password, so that another machine can use the name.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_fixed

from rehearsal.control_plane.control_plane import KUBERNETES
from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.control_plane.nodes import Node, kwok_manifests
from rehearsal.errors import RehearsalError
from rehearsal.machines.etcd import Etcd, EtcdError
from rehearsal.pki import write_private

MEMBER_FINALIZER = "wrangler.cattle.io/managed-etcd-controller"
PASSWORD_FINALIZER = "wrangler.cattle.io/node"  # noqa: S105  # the name of a finalizer
NODE_NAME = "etcd.k3s.cattle.io/node-name"
NODE_ADDRESS = "etcd.k3s.cattle.io/node-address"
RETRY_SECONDS = 1.0


def node_password(root: Path) -> str:
    """The password that proves that a Node belongs to this machine. It is generated once and stored on the disk."""
    file = root / "etc/rancher/node/password"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, secrets.token_hex(16).encode())
    return file.read_text()


def register(kubectl: Kubectl, node: Node, password: str) -> None:
    """Creates or updates the Node. While its name belongs to another machine, it retries without end, as k3s does."""
    for attempt in Retrying(
        retry=retry_if_exception_type(RehearsalError), wait=wait_fixed(RETRY_SECONDS), before_sleep=_print_error
    ):
        with attempt:
            _verify_password(kubectl, node.hostname, hashlib.sha256(password.encode()).hexdigest())
            kubectl.apply(kwok_manifests([node], kubelet_version=KUBERNETES.version))


def _verify_password(kubectl: Kubectl, hostname: str, password_hash: str) -> None:
    secret = (_secret_name(hostname), "--namespace=kube-system")
    stored = kubectl.run("get", "secret", *secret, "--ignore-not-found", "--output=jsonpath={.data.hash}")
    if not stored:
        kubectl.run("create", "secret", "generic", *secret, f"--from-literal=hash={password_hash}")
    elif base64.b64decode(stored).decode() != password_hash:
        raise RehearsalError(
            "Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' "
            f"may not match server: {hostname}"
        )


def _secret_name(hostname: str) -> str:
    return f"{hostname}.node-password.k3s"


def _print_error(state: RetryCallState) -> None:
    print(state.outcome.exception() if state.outcome else None, flush=True)


class NodeCleanup(threading.Thread):
    """Cleans up after Nodes that are being deleted, then removes their finalizers. Each server runs one, as in k3s."""

    def __init__(self, kubectl: Kubectl, etcd: Etcd) -> None:
        super().__init__(daemon=True)
        self._kubectl = kubectl
        self._etcd = etcd

    def run(self) -> None:
        while True:
            try:
                for node in self._kubectl.watch("nodes"):
                    if node["metadata"].get("deletionTimestamp"):
                        self._finalize(node["metadata"])
            except (RehearsalError, EtcdError) as error:
                print(f"cleaning up after a Node: {error}", flush=True)
            # The watch ends at the API server's timeout, or when the API server stops.
            time.sleep(RETRY_SECONDS)

    def _finalize(self, metadata: Mapping[str, Any]) -> None:
        finalizers = metadata.get("finalizers", [])
        annotations = metadata.get("annotations", {})
        if MEMBER_FINALIZER in finalizers:
            self._etcd.remove(annotations[NODE_NAME], annotations[NODE_ADDRESS])
        if PASSWORD_FINALIZER in finalizers:
            self._kubectl.run(
                "delete", "secret", _secret_name(metadata["name"]), "--namespace=kube-system", "--ignore-not-found"
            )
        remaining = [name for name in finalizers if name not in {MEMBER_FINALIZER, PASSWORD_FINALIZER}]
        if remaining != finalizers:
            patch = json.dumps(
                {"metadata": {"finalizers": remaining or None, "resourceVersion": metadata["resourceVersion"]}}
            )
            self._kubectl.run("patch", "node", metadata["name"], "--type=merge", f"--patch={patch}")
