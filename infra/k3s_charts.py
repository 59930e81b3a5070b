"""Helm charts that depend on the minor version of k3s.

A minor version that is not listed is an error in the settings, because its chart of Traefik may ignore our values.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Charts:
    """The charts for one minor version of k3s.

    Attributes:
        traefik: the newest major version of Traefik's chart in a patch release of this minor. k3s bundles the chart
            (github.com/k3s-io/k3s, manifests/traefik.yaml).
        upgrade_controller: the version of Rancher's chart system-upgrade-controller whose annotation
            catalog.cattle.io/kube-version includes this minor (github.com/rancher/charts).
    """

    traefik: int
    upgrade_controller: str


K3S_CHARTS: Mapping[str, Charts] = {
    "1.34": Charts(traefik=40, upgrade_controller="108.0.0"),
    "1.35": Charts(traefik=40, upgrade_controller="109.0.2"),
    "1.36": Charts(traefik=40, upgrade_controller="111.0.0"),
    "1.37": Charts(traefik=41, upgrade_controller="111.0.0"),
}


def minor(k3s_version: str) -> str:
    """The minor version, "1.34" of "v1.34.6+k3s1"."""
    return ".".join(k3s_version.removeprefix("v").split(".")[:2])
