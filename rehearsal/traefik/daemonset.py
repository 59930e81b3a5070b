"""Traefik's DaemonSet, rendered from the values of the HelmChartConfig as k3s' helm-controller installs it.

It follows `_podtemplate.tpl`, `daemonset.yaml` and `values.yaml` of github.com/traefik/traefik-helm-chart, tag v39.0.7.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.control_plane.nodes import Manifest
from rehearsal.traefik import rbac
from rehearsal.traefik.chart import NAME, Values, entry_points, flags
from rehearsal.traefik.rbac import NAMESPACE
from tools.programs import TRAEFIK

IMAGE = f"rancher/mirrored-library-traefik:{TRAEFIK.version.removeprefix('v')}"
"""The image name that k3s' chart uses."""
READY_SECONDS = 120
_LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/instance": f"{NAME}-{NAMESPACE}"}
_PORTS: Mapping[str, Mapping[str, Any]] = {
    "traefik": {"port": 8080},
    "web": {"port": 8000},
    "websecure": {"port": 8443},
    "metrics": {"port": 9100},
}
"""The default ports of the chart. Values override them."""
_UPDATE_STRATEGY = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
"""The default of the chart."""
_EMPTY_DIRS = {"data": "/data", "tmp": "/tmp"}  # noqa: S108  # paths in the container
_PROBE = {"initialDelaySeconds": 2, "periodSeconds": 10, "timeoutSeconds": 2}


def install(kubectl: Kubectl, values: Values) -> None:
    """Applies the manifests and waits for the rollout to finish. Changed values cause a new rollout."""
    kubectl.apply(manifests(values))
    kubectl.run("rollout", "status", f"daemonset/{NAME}", f"--namespace={NAMESPACE}", f"--timeout={READY_SECONDS}s")


def manifests(values: Values) -> Iterator[Manifest]:
    """The ServiceAccount with its permissions, and the DaemonSet."""
    yield from rbac.manifests(values)
    yield {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": _LABELS},
        "spec": {
            "selector": {"matchLabels": _LABELS},
            "updateStrategy": values.get("updateStrategy", _UPDATE_STRATEGY),
            "template": {
                "metadata": {"labels": _LABELS, "annotations": values["deployment"].get("podAnnotations", {})},
                "spec": _pod(values),
            },
        },
    }


def _pod(values: Values) -> Manifest:
    return {
        "serviceAccountName": NAME,
        "terminationGracePeriodSeconds": 60,
        "hostNetwork": values.get("hostNetwork", False),
        "priorityClassName": values.get("priorityClassName", ""),
        "securityContext": values.get("podSecurityContext", {}),
        # The tolerations that k3s sets in its HelmChart.
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"},
        ],
        "containers": [_container(values)],
        "volumes": [{"name": name, "emptyDir": {}} for name in _EMPTY_DIRS],
    }


def _container(values: Values) -> Manifest:
    ports = {name: {**_PORTS.get(name, {}), **values.get("ports", {}).get(name, {})} for name in entry_points(values)}
    ping = ports["traefik"]
    host = {"host": ping["hostIP"]} if "hostIP" in ping else {}
    probe = {"httpGet": {**host, "path": "/ping", "port": ping["port"], "scheme": "HTTP"}, **_PROBE}
    return {
        "name": NAME,
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": flags(
            values, addresses={name: f"{port.get('hostIP', '')}:{port['port']}/tcp" for name, port in ports.items()}
        ),
        "resources": values.get("resources", {}),
        "securityContext": values.get("securityContext", {}),
        "readinessProbe": {**probe, "failureThreshold": 1},
        "livenessProbe": {**probe, "failureThreshold": 3},
        "ports": [_port(name, port) for name, port in ports.items()],
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in _EMPTY_DIRS.items()],
        "env": [
            {"name": name, "valueFrom": {"fieldRef": {"fieldPath": f"metadata.{field}"}}}
            for name, field in (("POD_NAME", "name"), ("POD_NAMESPACE", "namespace"))
        ],
    }


def _port(name: str, port: Mapping[str, Any]) -> Manifest:
    host = {key: port[key] for key in ("hostPort", "hostIP") if key in port}
    return {"name": name, "containerPort": port["port"], "protocol": "TCP", **host}
