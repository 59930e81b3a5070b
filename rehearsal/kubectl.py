"""kubectl inside a world."""

import json
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from rehearsal.controlplane import KUBERNETES, binary
from rehearsal.errors import RehearsalError
from rehearsal.layout import PACKAGE, Layout
from rehearsal.nodes import Disk, Node, manifests
from tools import programs

READY_SECONDS = 60
CRDS = programs.named("crds")


def command(layout: Layout, *arguments: str) -> list[str]:
    return [str(binary("kubernetes", "kubectl")), f"--kubeconfig={layout.kubeconfig}", *arguments]


def run(layout: Layout, *arguments: str, stdin: str | None = None) -> str:
    """Runs kubectl and returns what it printed; a RehearsalError with its own words when it failed."""
    done = subprocess.run(command(layout, *arguments), input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RehearsalError(f"kubectl {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout


def read(layout: Layout, *arguments: str) -> dict[str, Any]:
    """What `kubectl … -o json` answers."""
    answer: dict[str, Any] = json.loads(run(layout, *arguments, "-o", "json"))
    return answer


def furnish(layout: Layout, nodes: Iterable[Node], disks: Iterable[Disk]) -> None:
    """Gives the cluster what k3s would have given it: resource definitions, storage class, nodes. Done twice, it changes nothing."""
    machines = layout.manifests / "nodes.yaml"
    machines.write_text(yaml.safe_dump_all(manifests(nodes, disks=disks, kubelet_version=KUBERNETES.version)))
    files = [machines, *_files(PACKAGE / "manifests"), *_files(programs.installed(CRDS))]
    # Server-side: Traefik's definitions are too large for the annotation that a client-side apply keeps.
    run(layout, "apply", "--server-side", "--force-conflicts", *(f"--filename={file}" for file in files))


def await_ready(layout: Layout) -> None:
    """Returns when the definitions are served, the nodes are Ready and pods can be admitted."""
    waits = (
        ("--for=condition=Established", "crd", "--all"),
        ("--for=condition=Ready", "node", "--all"),
        # The controller manager makes it; without it the API server refuses every pod.
        ("--for=create", "serviceaccount/default", "--namespace=default"),
    )
    with ThreadPoolExecutor() as together:
        for wait in [together.submit(run, layout, "wait", f"--timeout={READY_SECONDS}s", *arguments) for arguments in waits]:
            wait.result()


def _files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
