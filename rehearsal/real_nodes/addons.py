"""The add-ons of a cluster with real nodes: CoreDNS as k3s deploys it, and RBAC for the programs of a node."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rehearsal.control_plane.nodes import Manifest
from rehearsal.images.archive import Image
from rehearsal.real_nodes.node_config import SANDBOX
from tools.cache import executable

DNS_IMAGE = "honeydue.example/rehearsal/coredns:1"
NAMESPACE = "kube-system"
KUBE_ROUTER = "rehearsal:network-policies"
"""The user name of the network policy controllers."""
METRICS = 9153
"""The port of CoreDNS' own metrics."""
_PROTOCOLS = ("UDP", "TCP")
_LABELS = {"k8s-app": "kube-dns"}
"""The labels of k3s' CoreDNS. Network policies select it by them."""


def images(debian: Path) -> Sequence[Image]:
    """The images that a node needs before its first pod starts."""
    return (
        # The pause container: a process that waits until its pod ends. Debian's sleep does, with the two libraries it
        # is linked with.
        Image(
            reference=SANDBOX,
            layers=[{path: (debian / path.lstrip("/")).resolve() for path in _SLEEP}],
            entrypoint=["/usr/bin/sleep", "infinity"],
            user="65534:65534",
        ),
        Image(
            reference=DNS_IMAGE,
            layers=[{"/coredns": executable("coredns")}],
            entrypoint=["/coredns"],
        ),
    )


_SLEEP = ("/usr/bin/sleep", "/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2")


def manifests(*, dns: str, external_hosts: Mapping[str, str]) -> Iterator[Manifest]:
    """The objects of the add-ons.

    `dns` is the cluster IP of the DNS Service. `external_hosts` maps names outside of the cluster to their addresses.
    """
    yield from cluster_role(
        KUBE_ROUTER,
        kind="User",
        rules=[read_rule("", "namespaces", "nodes", "pods", "services", "endpoints"), *_POLICIES],
    )
    # The API server reads logs from the kubelets, which authorize it by this binding.
    yield cluster_role_binding(
        "rehearsal:apiserver-kubelet",
        role="system:kubelet-api-admin",
        kind="User",
        name="kube-apiserver-kubelet-client",
    )
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "coredns", "namespace": NAMESPACE}}
    yield from cluster_role(
        "system:coredns",
        kind="ServiceAccount",
        name="coredns",
        rules=[read_rule("", "namespaces", "pods", "services"), _ENDPOINT_SLICES],
    )
    yield {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "coredns", "namespace": NAMESPACE},
        "data": {"Corefile": corefile(external_hosts)},
    }
    yield _deployment(hashlib.sha256(corefile(external_hosts).encode()).hexdigest())
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": NAMESPACE, "labels": _LABELS},
        "spec": {
            "selector": _LABELS,
            "clusterIP": dns,
            "ports": [
                *({"name": f"dns-{protocol.lower()}", "port": 53, "protocol": protocol} for protocol in _PROTOCOLS),
                {"name": "metrics", "port": METRICS, "protocol": "TCP"},
            ],
        },
    }


def corefile(external_hosts: Mapping[str, str]) -> str:
    """Resolves the cluster's names and the given ones. It forwards nothing: every other name does not exist."""
    hosts = "".join(f"        {address} {name}\n" for name, address in external_hosts.items())
    return f"""\
.:53 {{
    errors
    health
    ready
    prometheus :{METRICS}
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


def _deployment(corefile_checksum: str) -> Manifest:
    container = {
        "name": "coredns",
        "image": DNS_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            *({"containerPort": 53, "protocol": protocol} for protocol in _PROTOCOLS),
            {"name": "metrics", "containerPort": METRICS, "protocol": "TCP"},
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "70Mi"}, "limits": {"memory": "170Mi"}},
        # The probes of k3s, but with a period of 1 s, because the start of a world waits for it.
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
                # CoreDNS reads its Corefile once. The checksum replaces the pod when the Corefile changes.
                "metadata": {"labels": _LABELS, "annotations": {"rehearsal/corefile": corefile_checksum}},
                "spec": {
                    "serviceAccountName": "coredns",
                    "priorityClassName": "system-cluster-critical",
                    # The node's resolv.conf: with ClusterFirst, CoreDNS would send its own queries to itself.
                    "dnsPolicy": "Default",
                    # The same constraint as in k3s.
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


def read_rule(group: str, *resources: str) -> Manifest:
    """A rule of a role that may read these resources."""
    return {"apiGroups": [group], "resources": [*resources], "verbs": ["get", "list", "watch"]}


_ENDPOINT_SLICES = read_rule("discovery.k8s.io", "endpointslices")
_POLICIES = [_ENDPOINT_SLICES, read_rule("networking.k8s.io", "networkpolicies")]


def cluster_role(role: str, *, kind: str, rules: Sequence[Manifest], name: str | None = None) -> Iterator[Manifest]:
    """A role, and its binding to a user or to a ServiceAccount of the namespace. The default name is the role's."""
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": role},
        "rules": [*rules],
    }
    yield cluster_role_binding(role, role=role, kind=kind, name=name or role)


def cluster_role_binding(binding: str, *, role: str, kind: str, name: str) -> Manifest:
    """A binding of a role to a user or to a ServiceAccount of the namespace."""
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
