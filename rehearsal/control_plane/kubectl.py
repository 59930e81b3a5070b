"""kubectl, by one kubeconfig, and what it is first used for: to give a cluster what k3s would."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from rehearsal.control_plane.control_plane import binary
from rehearsal.control_plane.nodes import Manifest
from rehearsal.errors import RehearsalError
from rehearsal.layout import PACKAGE
from tools import programs
from tools.cache import install_folder

READY_SECONDS = 60
CRDS = programs.by_name("crds")


@dataclass(frozen=True)
class Kubectl:
    """One way into one cluster."""

    kubeconfig: Path

    def command(self, *arguments: str) -> list[str]:
        # What it remembers of an API server ends with it, and is not left in the person's home.
        cache = self.kubeconfig.with_name("kubectl-cache")
        return [
            str(binary("kubernetes", "kubectl")),
            f"--kubeconfig={self.kubeconfig}",
            f"--cache-dir={cache}",
            *arguments,
        ]

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs kubectl and returns what it printed; a RehearsalError with its own words when it failed."""
        done = subprocess.run(self.command(*arguments), input=stdin, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RehearsalError(f"kubectl {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout

    def run_json(self, *arguments: str) -> dict[str, Any]:
        """What `kubectl … -o json` answers."""
        answer: dict[str, Any] = json.loads(self.run(*arguments, "-o", "json"))
        return answer

    def apply(self, objects: Iterable[Manifest] = (), files: Iterable[Path] = ()) -> None:
        """Makes them so; done twice, it changes nothing."""
        # Server-side: Traefik's definitions are too large for the annotation that a client-side apply keeps.
        sources = ["-", *map(str, files)]
        given = yaml.safe_dump_all(objects) or ""
        chosen = [source for source in sources if source != "-" or given]
        self.run(
            "apply", "--server-side", "--force-conflicts", *(f"--filename={source}" for source in chosen), stdin=given
        )

    def install_base_manifests(self, nodes: Iterable[Manifest]) -> None:
        """Gives the cluster what k3s would have given it: resource definitions, storage class, nodes and their volumes."""
        self.apply(nodes, [*_of_k3s(), *_of_traefik()])

    def install_k3s_manifests(self) -> None:
        """What k3s makes as soon as its API server takes objects."""
        self.apply(files=_of_k3s())

    def install_traefik_crds(self) -> None:
        """Traefik's definitions, which k3s installs by a Job, and so not before there is a node."""
        self.apply(files=_of_traefik())

    def await_ready(self) -> None:
        """Returns when the definitions are served, the nodes are Ready and pods can be admitted."""
        waits = (
            ("--for=condition=Ready", "node", "--all"),
            # The controller manager makes it; without it the API server refuses every pod.
            ("--for=create", "serviceaccount/default", "--namespace=default"),
        )
        with ThreadPoolExecutor() as together:
            established = together.submit(self._await_definitions)
            for wait in [
                together.submit(self.run, "wait", f"--timeout={READY_SECONDS}s", *arguments) for arguments in waits
            ]:
                wait.result()
            established.result()

    def _await_definitions(self) -> None:
        """All in one request, asked again: `kubectl wait` watches one after the other, for two seconds in all."""
        try:
            Retrying(retry=retry_if_result(bool), stop=stop_after_delay(READY_SECONDS), wait=wait_fixed(0.1))(
                self._unserved
            )
        except RetryError:
            raise RehearsalError(
                f"resource definitions are not served after {READY_SECONDS} s: {', '.join(self._unserved())}"
            ) from None

    def _unserved(self) -> list[str]:
        return [one["metadata"]["name"] for one in self.run_json("get", "crd")["items"] if not _is_established(one)]


def _is_established(definition: Mapping[str, Any]) -> bool:
    conditions = definition.get("status", {}).get("conditions", [])
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def _of_k3s() -> list[Path]:
    return sorted(
        [
            *(PACKAGE / "control_plane" / "manifests").glob("*.yaml"),
            *install_folder(CRDS).glob("helm.cattle.io_*.yaml"),
        ]
    )


def _of_traefik() -> list[Path]:
    return [install_folder(CRDS) / "kubernetes-crd-definition-v1.yml"]
