"""The configuration of k3s, hardened according to its guide: https://docs.k3s.io/security/hardening-guide."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from infra.machines.node_config import NodeConfig
from infra.settings import shared_options
from infra.settings.topology import ClusterSettings

SERVER_DIRECTORY = PurePosixPath("/var/lib/rancher/k3s/server")
ADMISSION_CONFIG = SERVER_DIRECTORY / "psa.yaml"
AUDIT_POLICY = SERVER_DIRECTORY / "audit.yaml"
AUDIT_LOG = SERVER_DIRECTORY / "logs/audit.log"

SNAPSHOT_SECRET = "k3s-etcd-snapshot-s3-config"  # noqa: S105  # the name of a Secret
"""In kube-system: endpoint, bucket and keys for etcd snapshots. A changed key needs an `up` and no change on a node."""

PROCESSES_PER_POD = 4096
"""Processes and threads of one pod. A fork bomb must not affect the other pods of the node."""

TLS_CIPHERS = (
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
)


def configuration(node: NodeConfig, cluster: ClusterSettings) -> Mapping[str, object]:
    """/etc/rancher/k3s/config.yaml. The node itself adds its role when it starts (files/k3s-role.sh)."""
    return {**_all_nodes(node), **(_server(node, cluster) if node.role == "server" else {})}


def _all_nodes(node: NodeConfig) -> Mapping[str, object]:
    # On the public network the node address is already the public one, so there is no separate external address.
    external = {"node-external-ip": node.public_address} if node.public_address != node.address else {}
    return {
        "node-name": node.hostname,
        "node-ip": node.address,
        **external,
        # The kubelet does not start when kernel settings differ (infra/machines/host.py sets them), instead of changing
        # them itself.
        "protect-kernel-defaults": True,
        "kubelet-arg": [
            "streaming-connection-idle-timeout=5m",
            f"pod-max-pids={PROCESSES_PER_POD}",
            f"tls-cipher-suites={','.join(TLS_CIPHERS)}",
            # A pod that sets no seccomp profile gets the one of containerd, instead of none.
            "seccomp-default=true",
        ],
        # As on the existing nodes: with two modes in one cluster, a Service behaves differently from node to node.
        "kube-proxy-arg": ["proxy-mode=ipvs"],
    }


def _server(node: NodeConfig, cluster: ClusterSettings) -> Mapping[str, object]:
    return {
        # The other nodes and the `kubernetes` Service of every pod use this address. By default k3s advertises the
        # external address.
        "advertise-address": node.address,
        "tls-san": sorted({node.hostname, node.address, node.public_address}),
        **shared_options.configuration(cluster),
        # Otherwise other users than root could read it, on a node whose paths pods can mount.
        "write-kubeconfig-mode": "0600",
        "kube-apiserver-arg": [
            # No Service of any namespace can claim an address with externalIPs, such as port 443 of a node.
            "enable-admission-plugins=NodeRestriction,EventRateLimit,DenyServiceExternalIPs",
            f"admission-control-config-file={ADMISSION_CONFIG}",
            f"audit-policy-file={AUDIT_POLICY}",
            f"audit-log-path={AUDIT_LOG}",
            "audit-log-maxage=30",
            "audit-log-maxbackup=10",
            "audit-log-maxsize=100",
            # A stolen token of a pod is valid for an hour instead of a year, the default for older clients.
            "service-account-extend-token-expiration=false",
        ],
        # By default 12500 finished pods stay in etcd and in every list of pods.
        "kube-controller-manager-arg": ["terminated-pod-gc-threshold=100"],
        # Four snapshots a day on the node's disk, kept for a week. For the bucket, k3s counts the snapshots of all
        # servers together, and the Secret configures how many it keeps. With `etcd-s3-retention` here, k3s would ignore
        # the Secret.
        "etcd-snapshot-schedule-cron": "0 */6 * * *",
        "etcd-snapshot-retention": 28,
        "etcd-snapshot-compress": True,
        # On port 2381 of the node's address, which the firewall closes. By default only on its loopback interface.
        **({"etcd-expose-metrics": True} if cluster.etcd_expose_metrics else {}),
        "etcd-s3": True,
        "etcd-s3-config-secret": SNAPSHOT_SECRET,
    }


def admission_config() -> Mapping[str, object]:
    """Admission plugins: the Pod Security default for namespaces without labels, and limits for events."""
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
                    # The pods of k3s itself (Traefik on the host network, local-path) could not start otherwise. Other
                    # privileged add-ons set labels on their namespace.
                    "exemptions": {"usernames": [], "runtimeClasses": [], "namespaces": ["kube-system"]},
                },
            },
            {
                "name": "EventRateLimit",
                "configuration": {
                    "apiVersion": "eventratelimit.admission.k8s.io/v1alpha1",
                    "kind": "Configuration",
                    # Events per second. A workload that fails in a loop would otherwise fill etcd. Only the events
                    # above the limit are lost.
                    "limits": [
                        {"type": "Namespace", "qps": 50, "burst": 100, "cacheSize": 2000},
                        {"type": "User", "qps": 10, "burst": 50},
                    ],
                },
            },
        ],
    }


def audit_policy() -> Mapping[str, object]:
    """Logs the metadata of requests and never their content, because a log must not contain a Secret's data."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        # Log each request once, when the response is complete.
        "omitStages": ["RequestReceived"],
        "rules": [
            # Frequent requests without a user behind them: controllers renew leases, probes check health.
            {"level": "None", "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}]},
            {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*"]},
            {"level": "Metadata"},
        ],
    }
