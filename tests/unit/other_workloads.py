"""vmagent, a workload that runs beside the apps and that the program does not declare."""

from typing import Any

IMAGE = "victoriametrics/vmagent:v1.102.1"
LABELS = {"app": "vmagent"}
SETTING: dict[str, Any] = {
    "labels": LABELS,
    "images": ["victoriametrics/vmagent"],
    "egress": [
        {"port": 443},
        {"port": 8000, "pods": {"app.kubernetes.io/name": "api"}},
        {"port": 9153, "namespace": "kube-system", "pods": {"k8s-app": "kube-dns"}},
        {"port": 9101, "address": "nodes"},
    ],
    "ingress": [{"port": 8429, "pods": {"app.kubernetes.io/name": "admin"}}],
    "pods": 2,
    "resources": {"cpu": 100, "cpuLimit": 2000, "memory": 1024, "disk": 64},
}
"""Its entry in `honeydue:otherWorkloads`."""
RESTRICTED: dict[str, Any] = {
    "serviceAccountName": "vmagent",
    "securityContext": {"runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
}
RESTRICTED_CONTAINER = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def deployment(namespace: str, name: str = "vmagent", *, image: str = IMAGE, **pod: Any) -> dict[str, Any]:
    """A Deployment as `kubectl create deployment` makes it, with changes of its pod."""
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "vmagent", "image": image}], **pod}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": 1, "selector": {"matchLabels": LABELS}, "template": template},
    }


def restricted_deployment(namespace: str, **container: Any) -> dict[str, Any]:
    """The same Deployment, changed so that it meets the restricted Pod Security Standard."""
    content = {"name": "vmagent", "image": IMAGE, "securityContext": RESTRICTED_CONTAINER, **container}
    return deployment(namespace, containers=[content], **RESTRICTED)
