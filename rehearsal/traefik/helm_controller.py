"""Installs Traefik as k3s' helm-controller does: whenever the HelmChartConfig of its chart changes.

Only a chart with `deployment.kind: DaemonSet` is installed. k3s' own default, a Deployment, is not simulated.
"""

import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.errors import RehearsalError
from rehearsal.traefik import daemonset
from rehearsal.traefik.chart import NAME
from rehearsal.traefik.rbac import NAMESPACE

PROGRAM = "helm-controller"
RETRY_SECONDS = 1.0


class HelmController(threading.Thread):
    """Runs until its process ends."""

    def __init__(self, kubectl: Kubectl) -> None:
        super().__init__(daemon=True)
        self._kubectl = kubectl

    def run(self) -> None:
        while True:
            try:
                for config in self._kubectl.watch("helmchartconfigs", f"--namespace={NAMESPACE}"):
                    self._install(config)
            except RehearsalError as error:
                print(f"installing a chart: {error}", flush=True)
            # The watch ends at the API server's timeout, or when the API server stops.
            time.sleep(RETRY_SECONDS)

    def _install(self, config: Mapping[str, Any]) -> None:
        values = yaml.safe_load(config["spec"].get("valuesContent", "")) or {}
        if config["metadata"]["name"] == NAME and values.get("deployment", {}).get("kind") == "DaemonSet":
            self._kubectl.apply(daemonset.manifests(values))


if __name__ == "__main__":
    HelmController(Kubectl(Path(sys.argv[1]))).run()
