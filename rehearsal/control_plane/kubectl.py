"""Runs kubectl with one kubeconfig, and installs the objects that k3s creates in a new cluster."""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from rehearsal.control_plane.nodes import Manifest
from rehearsal.errors import RehearsalError
from rehearsal.layout import PACKAGE
from tools import programs
from tools.cache import executable, install_folder

READY_SECONDS = 60
CRDS = programs.by_name("crds")


@dataclass(frozen=True)
class Kubectl:
    """kubectl for one cluster."""

    kubeconfig: Path

    def command(self, *arguments: str) -> list[str]:
        """The command line of kubectl, for a caller that runs it."""
        # By default, kubectl caches the API's resources in the operator's home, where they outlive the world.
        cache = self.kubeconfig.with_name("kubectl-cache")
        return [
            str(executable("kubernetes", "kubectl")),
            f"--kubeconfig={self.kubeconfig}",
            f"--cache-dir={cache}",
            *arguments,
        ]

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs kubectl and returns its output. Raises a RehearsalError with kubectl's error message."""
        completed = subprocess.run(self.command(*arguments), input=stdin, capture_output=True, text=True, check=False)
        if completed.returncode != 0:
            raise RehearsalError(f"kubectl {arguments[0]} failed: {completed.stderr.strip()}")
        return completed.stdout

    def run_json(self, *arguments: str) -> dict[str, Any]:
        """Runs `kubectl … --output=json` and returns the parsed output."""
        content: dict[str, Any] = json.loads(self.run(*arguments, "--output=json"))
        return content

    def watch(self, *arguments: str) -> Iterator[Mapping[str, Any]]:
        """`kubectl get … --watch`: every existing object, then every changed one, until the watch ends."""
        command = self.command("get", *arguments, "--watch", "--output=json")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as watch:
            decoder, text = json.JSONDecoder(), ""
            for line in watch.stdout or ():
                text += line
                # kubectl indents nested objects: a brace at the start of a line closes the object.
                if line == "}\n":
                    yield decoder.decode(text)
                    text = ""

    def apply(self, objects: Iterable[Manifest] = (), files: Iterable[Path] = ()) -> None:
        """Applies objects and manifest files. Applying them again changes nothing."""
        stdin = yaml.safe_dump_all(objects) or ""
        sources = [*(["-"] if stdin else []), *map(str, files)]
        # Server-side: Traefik's CRDs are too large for the annotation of a client-side apply.
        self.run(
            "apply", "--server-side", "--force-conflicts", *(f"--filename={source}" for source in sources), stdin=stdin
        )

    def install_base_manifests(self, nodes: Iterable[Manifest]) -> None:
        """Creates what k3s creates in a new cluster: CRDs, the storage class, and the given Nodes and volumes."""
        self.apply(nodes, [*_k3s_manifests(), *_traefik_crds()])

    def install_k3s_manifests(self) -> None:
        """Creates what k3s creates as soon as its API server accepts objects."""
        self.apply(files=_k3s_manifests())

    def install_traefik_crds(self) -> None:
        """Creates Traefik's CRDs. k3s installs them with a Job, which needs a node."""
        self.apply(files=_traefik_crds())

    def await_ready(self, custom_resources: Iterable[Manifest] = ()) -> None:
        """Returns when all nodes are Ready, pods can be created, and the custom resources exist.

        They are created as soon as the CRDs are established.
        """
        conditions = (
            ("--for=condition=Ready", "node", "--all"),
            # The API server rejects every pod until the controller manager has created this ServiceAccount.
            ("--for=create", "serviceaccount/default", "--namespace=default"),
        )
        with ThreadPoolExecutor() as executor:
            created = executor.submit(self._apply_with_crds, list(custom_resources))
            waits = [
                executor.submit(self.run, "wait", f"--timeout={READY_SECONDS}s", *condition) for condition in conditions
            ]
            for wait in waits:
                wait.result()
            created.result()

    def _apply_with_crds(self, custom_resources: Sequence[Manifest]) -> None:
        self._await_crds()
        if custom_resources:
            self.apply(custom_resources)

    def _await_crds(self) -> None:
        """Lists all CRDs until they are established. `kubectl wait` watches them one by one, which takes 2 s longer."""
        try:
            Retrying(retry=retry_if_result(bool), stop=stop_after_delay(READY_SECONDS), wait=wait_fixed(0.1))(
                self._pending_crds
            )
        except RetryError:
            raise RehearsalError(
                f"CRDs are not established after {READY_SECONDS} s: {', '.join(self._pending_crds())}"
            ) from None

    def _pending_crds(self) -> list[str]:
        crds = self.run_json("get", "crd")["items"]
        return [crd["metadata"]["name"] for crd in crds if not _is_established(crd)]


def _is_established(crd: Mapping[str, Any]) -> bool:
    conditions = crd.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions)


def _k3s_manifests() -> list[Path]:
    return sorted(
        [
            *(PACKAGE / "control_plane" / "manifests").glob("*.yaml"),
            *install_folder(CRDS).glob("helm.cattle.io_*.yaml"),
            install_folder(CRDS) / "k3s.cattle.io_etcdsnapshotfiles.yaml",
        ]
    )


def _traefik_crds() -> list[Path]:
    return [install_folder(CRDS) / "kubernetes-crd-definition-v1.yml"]
