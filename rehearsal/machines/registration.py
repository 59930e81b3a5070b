"""A machine's Node, and what k3s does when one is deleted: its member leaves etcd, and its name is free again."""

import base64
import hashlib
import json
import secrets
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tenacity import Retrying, retry_if_exception_type, wait_fixed

from rehearsal.control_plane.control_plane import KUBERNETES
from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.control_plane.nodes import Node, kwok_manifests
from rehearsal.errors import RehearsalError
from rehearsal.machines.etcd import Etcd, EtcdError
from rehearsal.pki import write_private

MEMBER_FINALIZER = "wrangler.cattle.io/managed-etcd-controller"
PASSWORD_FINALIZER = "wrangler.cattle.io/node"  # noqa: S105  # a name of k3s
NODE_NAME = "etcd.k3s.cattle.io/node-name"
NODE_ADDRESS = "etcd.k3s.cattle.io/node-address"
RETRY_SECONDS = 1.0


def password(root: Path) -> str:
    """By which the machine proves, for as long as its Node lives, that it is the same one."""
    file = root / "etc/rancher/node/password"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, secrets.token_hex(16).encode())
    return file.read_text()


def register(kubectl: Kubectl, node: Node, own_password: str) -> None:
    """Makes the Node, or finds its own; while the name is another machine's it is refused, and asks again for ever, as k3s does."""
    for attempt in Retrying(
        retry=retry_if_exception_type(RehearsalError), wait=wait_fixed(RETRY_SECONDS), before_sleep=_say
    ):
        with attempt:
            _prove(kubectl, node.hostname, hashlib.sha256(own_password.encode()).hexdigest())
            kubectl.apply(kwok_manifests([node], kubelet_version=KUBERNETES.version))


def _prove(kubectl: Kubectl, name: str, own_hash: str) -> None:
    chosen = (_secret(name), "--namespace=kube-system")
    held = kubectl.run("get", "secret", *chosen, "--ignore-not-found", "--output=jsonpath={.data.hash}")
    if not held:
        kubectl.run("create", "secret", "generic", *chosen, f"--from-literal=hash={own_hash}")
    elif base64.b64decode(held).decode() != own_hash:
        raise RehearsalError(
            f"Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match server: {name}"
        )


def _secret(name: str) -> str:
    return f"{name}.node-password.k3s"


def _say(state: Any) -> None:  # noqa: ANN401  # tenacity's own
    print(state.outcome.exception(), flush=True)


class Cleaner(threading.Thread):
    """Waits for Nodes that are being deleted and lets them go when nothing of them is left; each server has one, as in k3s."""

    def __init__(self, kubectl: Kubectl, etcd: Etcd) -> None:
        super().__init__(daemon=True)
        self._kubectl = kubectl
        self._etcd = etcd

    def run(self) -> None:
        while True:
            try:
                for node in self._watched():
                    if node["metadata"].get("deletionTimestamp"):
                        self._let_go(node["metadata"])
            except (RehearsalError, EtcdError) as error:
                print(f"cleaning up after a Node: {error}", flush=True)
            # A watch ends with the API server's patience, or with the API server.
            time.sleep(RETRY_SECONDS)

    def _watched(self) -> Iterator[Mapping[str, Any]]:
        """Every Node there is, then every change, until the watch ends."""
        command = self._kubectl.command("get", "nodes", "--watch", "--output=json")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as watch:
            decoder, text = json.JSONDecoder(), ""
            for line in watch.stdout or ():
                text += line
                # An object ends where its first brace is closed.
                if line == "}\n":
                    yield decoder.decode(text)
                    text = ""

    def _let_go(self, metadata: Mapping[str, Any]) -> None:
        left = metadata.get("finalizers", [])
        annotations = metadata.get("annotations", {})
        if MEMBER_FINALIZER in left:
            self._etcd.remove(annotations[NODE_NAME], annotations[NODE_ADDRESS])
        if PASSWORD_FINALIZER in left:
            self._kubectl.run(
                "delete", "secret", _secret(metadata["name"]), "--namespace=kube-system", "--ignore-not-found"
            )
        kept = [one for one in left if one not in {MEMBER_FINALIZER, PASSWORD_FINALIZER}]
        if kept != left:
            patch = json.dumps(
                {"metadata": {"finalizers": kept or None, "resourceVersion": metadata["resourceVersion"]}}
            )
            self._kubectl.run("patch", "node", metadata["name"], "--type=merge", f"--patch={patch}")
