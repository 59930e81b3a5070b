"""The command line flags of the programs of a control plane."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from rehearsal.layout import PACKAGE

STAGES = PACKAGE / "control_plane" / "kwok"
"""The folder of kwok's Stages: what kwok does with Nodes, Pods and PersistentVolumes."""


def traefik_log(work_folder: Path) -> Path:
    """The log of every pod of Traefik, in the format of a container runtime."""
    return work_folder / "traefik-pods.log"


@dataclass(frozen=True, kw_only=True)
class ClusterNetwork:
    """The network of a cluster, from the stack settings."""

    pod_cidr: str
    service_cidr: str
    apiserver_cluster_ip: str
    """The cluster IP of the Service `kubernetes`: the first address of `service_cidr`."""
    advertise_address: str
    """The address in the endpoints of the Service `kubernetes`: a node's."""
    context: str
    """The name of the context in the kubeconfig."""


@dataclass(frozen=True, kw_only=True)
class ControlPlaneConfig:
    """The addresses, ports and files of one control plane."""

    etcd_name: str
    """The name of the etcd member."""
    address: str
    ports: Mapping[str, int]
    pki: Path
    etcd_data: Path
    work_folder: Path
    """The folder for generated configuration files."""
    network: ClusterNetwork
    tls_sans: Sequence[str] = ()
    """More names and addresses in the API server's certificate."""
    node: str | None = None
    """The node that this control plane runs on. None when it is the only control plane of all nodes."""
    kwok: bool = True
    """Whether kwok simulates the kubelets."""
    extra_flags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """More flags by program, each in the form `name=value`."""

    @property
    def etcd_url(self) -> str:
        return f"https://{self.address}:{self.ports['etcd']}"

    @property
    def peer_url(self) -> str:
        return f"https://{self.address}:{self.ports['etcd-peer']}"

    @property
    def server_url(self) -> str:
        return f"https://{self.address}:{self.ports['apiserver']}"


class Flags:
    """The flags of each program, by flag name without dashes."""

    def __init__(self, config: ControlPlaneConfig) -> None:
        self._config = config
        self._network = config.network

    def _file(self, name: str) -> str:
        return str(self._config.pki / name)

    def etcd(self, members: Sequence[str] = ()) -> Mapping[str, object]:
        """`members` (`name=peer-url`) are those of the cluster to join. Without members, etcd begins a new cluster."""
        client, peer = self._config.etcd_url, self._config.peer_url
        return {
            "data-dir": self._config.etcd_data,
            "name": self._config.etcd_name,
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": ",".join(members) or f"{self._config.etcd_name}={peer}",
            "initial-cluster-state": "existing" if members else "new",
            "client-cert-auth": "true",
            "trusted-ca-file": self._file("etcd/server-ca.crt"),
            "cert-file": self._file("etcd/server.crt"),
            "key-file": self._file("etcd/server.key"),
            "peer-client-cert-auth": "true",
            "peer-trusted-ca-file": self._file("etcd/peer-ca.crt"),
            "peer-cert-file": self._file("etcd/peer.crt"),
            "peer-key-file": self._file("etcd/peer.key"),
            # Waiting for the disk takes half of the time of every write. A power cut may lose a rehearsal's data.
            "unsafe-no-fsync": "true",
            # A single member waits for one election timeout before it becomes leader, so the timeout is short. Several
            # members share the CPUs of one machine, so their timeout is longer than the default of 1 s.
            **(
                {"heartbeat-interval": 50, "election-timeout": 250}
                if self._config.node is None
                else {"election-timeout": 2000}
            ),
            "log-level": "warn",
            **self._extra("etcd"),
        }

    def apiserver(self) -> Mapping[str, object]:
        return {
            "bind-address": self._config.address,
            "secure-port": self._config.ports["apiserver"],
            # The address of a node: Kubernetes rejects loopback addresses as endpoints.
            "advertise-address": self._network.advertise_address,
            "etcd-servers": self._config.etcd_url,
            "etcd-cafile": self._file("etcd/server-ca.crt"),
            "etcd-certfile": self._file("etcd/client.crt"),
            "etcd-keyfile": self._file("etcd/client.key"),
            "client-ca-file": self._file("client-ca.crt"),
            "tls-cert-file": self._file("apiserver.crt"),
            "tls-private-key-file": self._file("apiserver.key"),
            "requestheader-client-ca-file": self._file("request-header-ca.crt"),
            "requestheader-allowed-names": "system:auth-proxy",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-",
            "requestheader-group-headers": "X-Remote-Group",
            "requestheader-username-headers": "X-Remote-User",
            "proxy-client-cert-file": self._file("auth-proxy.crt"),
            "proxy-client-key-file": self._file("auth-proxy.key"),
            "service-cluster-ip-range": self._network.service_cidr,
            "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
            "service-account-key-file": self._file("service.key"),
            "service-account-signing-key-file": self._file("service.key"),
            # The InternalDNS address of every simulated node is that of kwok. The other addresses are production's.
            # With them, `kubectl logs` would connect to production's servers.
            "kubelet-preferred-address-types": "InternalDNS",
            "kubelet-certificate-authority": self._file("server-ca.crt"),
            "kubelet-client-certificate": self._file("apiserver-kubelet.crt"),
            "kubelet-client-key": self._file("apiserver-kubelet.key"),
            # The flags of k3s.
            "api-audiences": "https://kubernetes.default.svc.cluster.local,k3s",
            "anonymous-auth": "false",
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "allow-privileged": "true",
            "profiling": "false",
            **self._extra("kube-apiserver"),
        }

    def controller_manager(self) -> Mapping[str, object]:
        return {
            **self._client("controller-manager"),
            "use-service-account-credentials": "true",
            "service-account-private-key-file": self._file("service.key"),
            "root-ca-file": self._file("server-ca.crt"),
            "cluster-signing-cert-file": self._file("client-ca.crt"),
            "cluster-signing-key-file": self._file("client-ca.key"),
            "allocate-node-cidrs": "true",
            "cluster-cidr": self._network.pod_cidr,
            "service-cluster-ip-range": self._network.service_cidr,
            # The default of 20 requests a second would be the longest wait of a rollout in a rehearsal.
            "kube-api-qps": 200,
            "kube-api-burst": 400,
            # An autoscaled Deployment starts with one pod. With the default of 15 s, it is not scaled in a rehearsal.
            "horizontal-pod-autoscaler-sync-period": "1s",
            **self._extra("kube-controller-manager"),
        }

    def scheduler(self) -> Mapping[str, object]:
        return {**self._client("scheduler"), **self._extra("kube-scheduler")}

    def _client(self, name: str) -> Mapping[str, object]:
        kubeconfig = self._file(f"{name}.kubeconfig")
        return {
            "kubeconfig": kubeconfig,
            "authentication-kubeconfig": kubeconfig,
            "authorization-kubeconfig": kubeconfig,
            # No HTTP server: nothing uses it, and it would need a free port.
            "secure-port": 0,
            **self._election(),
        }

    def _election(self) -> Mapping[str, object]:
        if self._config.node is None:
            # The only instance. With leader election, it would first wait until the lease of a killed one expires.
            return {"leader-elect": "false"}
        # Shorter than the default of 15 s, because rehearsals kill leaders and wait for the next one.
        return {
            "leader-elect-lease-duration": "6s",
            "leader-elect-renew-deadline": "4s",
            "leader-elect-retry-period": "1s",
        }

    def kwok(self) -> Mapping[str, object]:
        return {
            "kubeconfig": self._file("kwok.kubeconfig"),
            # Without this flag, kwok reads the operator's ~/.kwok/kwok.yaml.
            "config": self._kwok_config(),
            **(
                {"manage-all-nodes": "true"} if self._config.node is None else {"manage-single-node": self._config.node}
            ),
            # The addresses of pods on a node that has no podCIDR yet.
            "cidr": self._network.pod_cidr,
            # Here kwok answers `kubectl logs`.
            "server-address": f"{self._config.address}:{self._config.ports['kubelets']}",
            "node-port": self._config.ports["kubelets"],
            "tls-cert-file": self._file("kwok.crt"),
            "tls-private-key-file": self._file("kwok.key"),
        }

    def _kwok_config(self) -> Path:
        stages = [file.read_text() for file in sorted(STAGES.glob("*.yaml"))]
        logs = {
            # kwok takes the first that matches. Traefik runs outside of the cluster, and its pods have its log.
            "traefik": {
                "selector": {"matchNamespaces": ["kube-system"]},
                "logs": [{"containers": ["traefik"], "logsFile": str(traefik_log(self._config.work_folder))}],
            },
            # All other containers of all pods have the same log.
            "pods": {"logs": [{"logsFile": str(STAGES / "pod.log")}]},
        }
        manifests = [
            {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "ClusterLogs", "metadata": {"name": name}, "spec": spec}
            for name, spec in logs.items()
        ]
        config = self._config.work_folder / "kwok.yaml"
        config.write_text("\n---\n".join([*stages, *map(yaml.safe_dump, manifests)]))
        return config

    def _extra(self, program: str) -> Mapping[str, object]:
        return dict(flag.split("=", 1) for flag in self._config.extra_flags.get(program, ()))
