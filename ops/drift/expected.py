"""Undeclared values with an owner that are no drift: Kubernetes and k3s set them on objects of the program.

The name of the owner proves nothing, because kubectl accepts any name (`--field-manager`).
"""

import re
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

ANNOTATIONS = re.compile(
    r"deployment\.kubernetes\.io/revision"  # the Deployment controller
    r"|deprecated\.daemonset\.template\.generation"  # the API server (pkg/apis/apps/v1/conversion.go)
    r"|pv\.kubernetes\.io/(bind-completed|bound-by-controller)"  # the PersistentVolume controller
    r"|volume(\.beta)?\.kubernetes\.io/(selected-node|storage-provisioner)"  # the scheduler and the same controller
    r"|helmcharts\.cattle\.io/managed-by"  # k3s' helm-controller (pkg/controllers/chart/chart.go)
    r"|kubectl\.kubernetes\.io/restartedAt"  # kubectl rollout restart
)
FINALIZERS = ("kubernetes.io/pvc-protection", "wrangler.cattle.io/on-helm-chart-remove")
"""Of Kubernetes for a volume that is in use, and of helm-controller."""
DEFAULTS: Mapping[tuple[str | int, ...], JsonValue] = {
    # The resources that an admission policy and its binding match are atomic: their owner also owns the defaults.
    ("spec", "matchConstraints", "matchPolicy"): "Equivalent",
    ("spec", "matchConstraints", "namespaceSelector"): {},
    ("spec", "matchConstraints", "objectSelector"): {},
    ("spec", "matchResources", "matchPolicy"): "Equivalent",
    ("spec", "matchResources", "objectSelector"): {},
    # Set together with the first external address or node port of a Service.
    ("spec", "externalTrafficPolicy"): "Cluster",
}


def is_expected(kind: str, pointer: Sequence[str | int], value: JsonValue) -> bool:
    """Whether an undeclared value is no drift. `pointer` is its path in the object."""
    match tuple(pointer):
        case (*_, "metadata", "annotations", str(name)):
            return bool(ANNOTATIONS.fullmatch(name))
        case ("metadata", "finalizers", int()):
            return value in FINALIZERS
        case ("spec", "replicas"):
            # Undeclared only where an autoscaler sets it.
            return kind == "Deployment"
        case ("spec", "volumeName"):
            return kind == "PersistentVolumeClaim"
        case path:
            return path in DEFAULTS and DEFAULTS[path] == value
