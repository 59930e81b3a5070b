"""The flags each program of a control plane is started with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from rehearsal.layout import PACKAGE

LOOPBACK = "127.0.0.1"
STAGES = PACKAGE / "control_plane" / "kwok"


@dataclass(frozen=True, kw_only=True)
class ClusterNetwork:
    """The ranges of the cluster, as the stack's settings have them."""

    pod_cidr: str
    service_cidr: str
    apiserver_cluster_ip: str
    """Where the API server is reached inside the cluster: the first address of the service range."""
    advertise_address: str
    """The address of the API server that the cluster is told: a node's."""
    context: str
    """Name of the kubeconfig's context."""


@dataclass(frozen=True, kw_only=True)
class ControlPlaneConfig:
    """Where one control plane runs, and where it keeps its files."""

    etcd_name: str
    """Its member's name in etcd."""
    address: str
    ports: Mapping[str, int]
    pki: Path
    etcd_data: Path
    """etcd's."""
    work_folder: Path
    network: ClusterNetwork
    tls_sans: Sequence[str] = ()
    """What else its API server is called."""
    node: str | None = None
    """The one node whose kubelet runs here, beside other control planes; None for a control plane alone, with all of them."""
    kwok: bool = True
    """Whether kwok plays the kubelets."""
    extra_flags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """More flags, `name=value`, by program."""

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
    """What the programs of one place are told."""

    def __init__(self, config: ControlPlaneConfig) -> None:
        self._config = config
        self._network = config.network

    def _file(self, name: str) -> str:
        return str(self._config.pki / name)

    def etcd(self, members: Sequence[str] = ()) -> Mapping[str, object]:
        """`members` are those of the cluster it joins, `name=peer-url`; without any, it begins one."""
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
            # A rehearsal's data may be lost with the machine's power; waiting for the disk costs half of every write.
            "unsafe-no-fsync": "true",
            # Alone, it would wait a whole election timeout for others before it leads; among others, it shares two cores with them.
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
            # Inside the cluster a node's address; loopback would be refused as an endpoint.
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
            # Only kwok, which the nodes name by this kind of address, is ever asked for a log. By their public addresses, which
            # are production's own, a rehearsal would reach production.
            "kubelet-preferred-address-types": "InternalDNS",
            "kubelet-certificate-authority": self._file("server-ca.crt"),
            "kubelet-client-certificate": self._file("apiserver-kubelet.crt"),
            "kubelet-client-key": self._file("apiserver-kubelet.key"),
            # As k3s starts it.
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
            # The default of 20 requests a second is for large clusters on slow ones; here it would be the longest wait of a rollout.
            "kube-api-qps": 200,
            "kube-api-burst": 400,
            # A new Deployment under an autoscaler starts with one pod; in the usual 15 s a rehearsal is over before there are more.
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
            # Serves nothing: nobody scrapes it, and it is one port less to find free.
            "secure-port": 0,
            **self._election(),
        }

    def _election(self) -> Mapping[str, object]:
        if self._config.node is None:
            # There is one of it, and a lease that a killed one left would have to expire first.
            return {"leader-elect": "false"}
        # Shorter than the usual 15 s: a rehearsal kills leaders, and waits for the next one.
        return {
            "leader-elect-lease-duration": "6s",
            "leader-elect-renew-deadline": "4s",
            "leader-elect-retry-period": "1s",
        }

    def kwok(self) -> Mapping[str, object]:
        return {
            "kubeconfig": self._file("kwok.kubeconfig"),
            # Given, or kwok would read the person's own ~/.kwok/kwok.yaml.
            "config": self._kwok_config(),
            **(
                {"manage-all-nodes": "true"} if self._config.node is None else {"manage-single-node": self._config.node}
            ),
            # For a pod on a node that has not been given its own range yet.
            "cidr": self._network.pod_cidr,
            # Where `kubectl logs` is answered.
            "server-address": f"{self._config.address}:{self._config.ports['kubelets']}",
            "node-port": self._config.ports["kubelets"],
            "tls-cert-file": self._file("kwok.crt"),
            "tls-private-key-file": self._file("kwok.key"),
        }

    def _kwok_config(self) -> Path:
        parts = [file.read_text() for file in sorted(STAGES.glob("*.yaml"))]
        # Every pod has the same log, whatever its container.
        logs = {
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": "ClusterLogs",
            "metadata": {"name": "pods"},
            "spec": {"logs": [{"logsFile": str(STAGES / "pod.log")}]},
        }
        config = self._config.work_folder / "kwok.yaml"
        config.write_text("\n---\n".join([*parts, yaml.safe_dump(logs)]))
        return config

    def _extra(self, program: str) -> Mapping[str, object]:
        return dict(flag.split("=", 1) for flag in self._config.extra_flags.get(program, ()))
