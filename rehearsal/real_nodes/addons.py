"""What a cluster with real nodes runs of its own: the DNS that k3s deploys, and the rights of a node's programs."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rehearsal.control_plane.nodes import Manifest
from rehearsal.images.archive import Image
from rehearsal.real_nodes.settings import SANDBOX
from tools import programs

DNS_IMAGE = "honeydue.example/rehearsal/coredns:1"
NAMESPACE = "kube-system"
KUBE_ROUTER = "rehearsal:network-policies"
"""The name by which the network policy controllers are known to the API server."""
_LABELS = {"k8s-app": "kube-dns"}
"""As k3s labels it, and as network policies select it."""


def images(debian: Path) -> Sequence[Image]:
    """What nodes must hold before their first pod."""
    return (
        # Waits for ever, and ends with its pod; the system's own sleep does, with the two libraries that it is linked with.
        Image(
            reference=SANDBOX,
            layers=[{path: (debian / path.lstrip("/")).resolve() for path in _SLEEP}],
            entrypoint=["/usr/bin/sleep", "infinity"],
            user="65534:65534",
        ),
        Image(
            reference=DNS_IMAGE,
            layers=[{"/coredns": programs.installed(programs.named("coredns")) / "coredns"}],
            entrypoint=["/coredns"],
        ),
    )


_SLEEP = ("/usr/bin/sleep", "/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2")


def manifests(*, dns: str, outside: Mapping[str, str]) -> Iterator[Manifest]:
    """`dns` is the address of its Service, `outside` the addresses of what has a name outside of the cluster."""
    yield from _rights(
        KUBE_ROUTER,
        kind="User",
        rules=[_may_see("", "namespaces", "nodes", "pods", "services", "endpoints"), *_POLICIES],
    )
    # Who asks a kubelet for logs, as the API server does.
    yield _binding(
        "rehearsal:apiserver-kubelet",
        role="system:kubelet-api-admin",
        kind="User",
        name="kube-apiserver-kubelet-client",
    )
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "coredns", "namespace": NAMESPACE}}
    yield from _rights(
        "system:coredns",
        kind="ServiceAccount",
        name="coredns",
        rules=[_may_see("", "namespaces", "pods", "services"), _SLICES],
    )
    yield {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "coredns", "namespace": NAMESPACE},
        "data": {"Corefile": corefile(outside)},
    }
    yield _deployment(hashlib.sha256(corefile(outside).encode()).hexdigest())
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": NAMESPACE, "labels": _LABELS},
        "spec": {
            "selector": _LABELS,
            "clusterIP": dns,
            "ports": [{"name": f"dns-{one.lower()}", "port": 53, "protocol": one} for one in ("UDP", "TCP")],
        },
    }


def corefile(outside: Mapping[str, str]) -> str:
    """Knows the cluster and the given names, and asks nobody: no other name exists here."""
    hosts = "".join(f"        {address} {name}\n" for name, address in outside.items())
    return f"""\
.:53 {{
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa {{
        pods insecure
    }}
    hosts {{
        ttl 5
{hosts}        fallthrough
    }}
    loadbalance
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""


def _deployment(told: str) -> Manifest:
    container = {
        "name": "coredns",
        "image": DNS_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "100m", "memory": "70Mi"}, "limits": {"memory": "170Mi"}},
        # k3s' own, but every 1 s: a start waits for it.
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1, "timeoutSeconds": 1},
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}, "initialDelaySeconds": 60, "timeoutSeconds": 5},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "coredns", "namespace": NAMESPACE, "labels": _LABELS},
        "spec": {
            "selector": {"matchLabels": _LABELS},
            "template": {
                # Of its Corefile, which it reads once: another one makes another pod.
                "metadata": {"labels": _LABELS, "annotations": {"rehearsal/corefile": told}},
                "spec": {
                    "serviceAccountName": "coredns",
                    "priorityClassName": "system-cluster-critical",
                    # Not itself: it would ask itself for what it does not know.
                    "dnsPolicy": "Default",
                    # As k3s spreads it.
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": "kubernetes.io/hostname",
                            "whenUnsatisfiable": "DoNotSchedule",
                            "labelSelector": {"matchLabels": _LABELS},
                        }
                    ],
                    "containers": [container],
                    "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
                },
            },
        },
    }


def _may_see(group: str, *resources: str) -> Manifest:
    return {"apiGroups": [group], "resources": [*resources], "verbs": ["get", "list", "watch"]}


_SLICES = _may_see("discovery.k8s.io", "endpointslices")
_POLICIES = [_SLICES, _may_see("networking.k8s.io", "networkpolicies")]


def _rights(role: str, *, kind: str, rules: Sequence[Manifest], name: str | None = None) -> Iterator[Manifest]:
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": role},
        "rules": [*rules],
    }
    yield _binding(role, role=role, kind=kind, name=name or role)


def _binding(binding: str, *, role: str, kind: str, name: str) -> Manifest:
    group = "rbac.authorization.k8s.io"
    subject = {
        "kind": kind,
        "name": name,
        **({"namespace": NAMESPACE} if kind == "ServiceAccount" else {"apiGroup": group}),
    }
    return {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": binding},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }
