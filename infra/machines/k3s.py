"""What k3s is configured with, hardened as its own guide says (https://docs.k3s.io/security/hardening-guide)."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from infra.machines.node_config import Boot
from infra.settings.topology import ClusterSettings

SERVER_FILES = PurePosixPath("/var/lib/rancher/k3s/server")
ADMISSION = SERVER_FILES / "psa.yaml"
AUDIT_POLICY = SERVER_FILES / "audit.yaml"
AUDIT_LOG = SERVER_FILES / "logs/audit.log"

SNAPSHOT_SECRET = "k3s-etcd-snapshot-s3-config"  # noqa: S105  # the name of a Secret, not one
"""In kube-system: endpoint, bucket and keys of the snapshots' second place. A key that changes is an `up`, and no node is touched."""

PROCESSES_PER_POD = 4096
"""Processes and threads of one pod; a fork bomb must not take the node's other pods with it."""

TLS_CIPHERS = (
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
)


def configuration(boot: Boot, cluster: ClusterSettings) -> Mapping[str, object]:
    """/etc/rancher/k3s/config.yaml: all but the role, which the node finds out itself when it starts."""
    return {**_every_node(boot), **(_server(boot, cluster) if boot.role == "server" else {})}


def _every_node(boot: Boot) -> Mapping[str, object]:
    # A public address that is the node's own one already is no external one besides.
    external = {"node-external-ip": boot.public_address} if boot.public_address != boot.address else {}
    return {
        "node-name": boot.hostname,
        "node-ip": boot.address,
        **external,
        # The kubelet stops when the kernel is set otherwise (infra/machines/host.py sets it), instead of changing it itself.
        "protect-kernel-defaults": True,
        "kubelet-arg": [
            "streaming-connection-idle-timeout=5m",
            f"pod-max-pids={PROCESSES_PER_POD}",
            f"tls-cipher-suites={','.join(TLS_CIPHERS)}",
        ],
        # As on the nodes that run: with two modes in one cluster a Service behaves differently from node to node.
        "kube-proxy-arg": ["proxy-mode=ipvs"],
    }


def _server(boot: Boot, cluster: ClusterSettings) -> Mapping[str, object]:
    return {
        # The other nodes and every pod's `kubernetes` Service lead here; left out, k3s takes the external address.
        "advertise-address": boot.address,
        "tls-san": sorted({boot.hostname, boot.address, boot.public_address}),
        # These must be the same on all servers: k3s refuses to join one that differs.
        "cluster-cidr": str(cluster.pod_cidr),
        "service-cidr": str(cluster.service_cidr),
        "cluster-dns": str(cluster.cluster_dns),
        "flannel-backend": cluster.flannel_backend,
        "secrets-encryption": cluster.secrets_encryption,
        # Others than root may read it otherwise, on a node where pods can mount paths.
        "write-kubeconfig-mode": "0600",
        "kube-apiserver-arg": [
            "enable-admission-plugins=NodeRestriction,EventRateLimit",
            f"admission-control-config-file={ADMISSION}",
            f"audit-policy-file={AUDIT_POLICY}",
            f"audit-log-path={AUDIT_LOG}",
            "audit-log-maxage=30",
            "audit-log-maxbackup=10",
            "audit-log-maxsize=100",
            # A stolen token of a pod is good for an hour, not for the year that older clients are given.
            "service-account-extend-token-expiration=false",
        ],
        # The default keeps 12500 finished pods, each of which etcd and every list of pods carry along.
        "kube-controller-manager-arg": ["terminated-pod-gc-threshold=100"],
        # Four a day, kept for a week. In the other place k3s counts the snapshots of all servers together and its own way: the
        # Secret says how many. `etcd-s3-retention` here would make k3s ignore the Secret.
        "etcd-snapshot-schedule-cron": "0 */6 * * *",
        "etcd-snapshot-retention": 28,
        "etcd-snapshot-compress": True,
        "etcd-s3": True,
        "etcd-s3-config-secret": SNAPSHOT_SECRET,
    }


def admission() -> Mapping[str, object]:
    """The API server's admission plugins: what a namespace without labels of its own allows, and how many events one may write."""
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [
            {
                "name": "PodSecurity",
                "configuration": {
                    "apiVersion": "pod-security.admission.config.k8s.io/v1",
                    "kind": "PodSecurityConfiguration",
                    "defaults": {
                        key: value
                        for mode in ("enforce", "audit", "warn")
                        for key, value in ((mode, "restricted"), (f"{mode}-version", "latest"))
                    },
                    # k3s' own pods (Traefik on the host network, local-path) could not start. Other privileged add-ons say so by
                    # labels of their namespace.
                    "exemptions": {"usernames": [], "runtimeClasses": [], "namespaces": ["kube-system"]},
                },
            },
            {
                "name": "EventRateLimit",
                "configuration": {
                    "apiVersion": "eventratelimit.admission.k8s.io/v1alpha1",
                    "kind": "Configuration",
                    # Events a second. A workload that fails in a loop fills etcd otherwise; what is refused is lost, and only that.
                    "limits": [
                        {"type": "Namespace", "qps": 50, "burst": 100, "cacheSize": 2000},
                        {"type": "User", "qps": 10, "burst": 50},
                    ],
                },
            },
        ],
    }


def audit_policy() -> Mapping[str, object]:
    """Who did what and when, never what was in it: a Secret's content must not end up in a log."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        # Each request once, when it is answered.
        "omitStages": ["RequestReceived"],
        "rules": [
            # Most of all lines, and nobody's doing: nodes and controllers renew their leases, probes ask for health.
            {"level": "None", "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}]},
            {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*"]},
            {"level": "Metadata"},
        ],
    }
