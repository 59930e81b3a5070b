"""The flags each program of the control plane is started with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from rehearsal.layout import PACKAGE, Layout

LOOPBACK = "127.0.0.1"
STAGES = PACKAGE / "kwok"


@dataclass(frozen=True, kw_only=True)
class Network:
    """The ranges of the cluster, as the stack's settings have them."""

    pods: str
    services: str
    first_service: str
    """Where the API server is reached inside the cluster: the first address of the service range."""
    advertise: str
    """The address of the API server that the cluster is told: a node's."""
    context: str
    """Name of the kubeconfig's context."""


class Flags:
    """What the programs of one world are told."""

    def __init__(self, layout: Layout, network: Network, ports: Mapping[str, int]) -> None:
        self._layout = layout
        self._network = network
        self._ports = ports

    def _file(self, name: str) -> str:
        return str(self._layout.pki / name)

    def etcd(self) -> Mapping[str, object]:
        client, peer = (f"https://{LOOPBACK}:{self._ports[port]}" for port in ("etcd", "etcd-peer"))
        return {
            "data-dir": self._layout.etcd,
            "name": "rehearsal",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"rehearsal={peer}",
            "client-cert-auth": "true",
            "trusted-ca-file": self._file("etcd-ca.crt"),
            "cert-file": self._file("etcd.crt"),
            "key-file": self._file("etcd.key"),
            "peer-client-cert-auth": "true",
            "peer-trusted-ca-file": self._file("etcd-ca.crt"),
            "peer-cert-file": self._file("etcd.crt"),
            "peer-key-file": self._file("etcd.key"),
            # A rehearsal's data may be lost with the machine's power; waiting for the disk costs half of every write.
            "unsafe-no-fsync": "true",
            # One member: it would wait a whole election timeout for others before it leads.
            "heartbeat-interval": 50,
            "election-timeout": 250,
            "log-level": "warn",
        }

    def apiserver(self) -> Mapping[str, object]:
        return {
            "bind-address": LOOPBACK,
            "secure-port": self._ports["apiserver"],
            # Inside the cluster a node's address; loopback would be refused as an endpoint.
            "advertise-address": self._network.advertise,
            "etcd-servers": f"https://{LOOPBACK}:{self._ports['etcd']}",
            "etcd-cafile": self._file("etcd-ca.crt"),
            "etcd-certfile": self._file("etcd-client.crt"),
            "etcd-keyfile": self._file("etcd-client.key"),
            "client-ca-file": self._file("ca.crt"),
            "tls-cert-file": self._file("apiserver.crt"),
            "tls-private-key-file": self._file("apiserver.key"),
            "service-cluster-ip-range": self._network.services,
            "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
            "service-account-key-file": self._file("service-accounts.pub"),
            "service-account-signing-key-file": self._file("service-accounts.key"),
            # Only kwok, which the nodes name by this kind of address, is ever asked for a log. By their public addresses, which
            # are production's own, a rehearsal would reach production.
            "kubelet-preferred-address-types": "InternalDNS",
            "kubelet-certificate-authority": self._file("ca.crt"),
            "kubelet-client-certificate": self._file("apiserver-kubelet.crt"),
            "kubelet-client-key": self._file("apiserver-kubelet.key"),
            # As k3s starts it.
            "api-audiences": "https://kubernetes.default.svc.cluster.local,k3s",
            "anonymous-auth": "false",
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "allow-privileged": "true",
            "profiling": "false",
        }

    def controller_manager(self) -> Mapping[str, object]:
        return {
            **self._client("controller-manager"),
            "use-service-account-credentials": "true",
            "service-account-private-key-file": self._file("service-accounts.key"),
            "root-ca-file": self._file("ca.crt"),
            "cluster-signing-cert-file": self._file("ca.crt"),
            "cluster-signing-key-file": self._file("ca.key"),
            "allocate-node-cidrs": "true",
            "cluster-cidr": self._network.pods,
            "service-cluster-ip-range": self._network.services,
            # The default of 20 requests a second is for large clusters on slow ones; here it would be the longest wait of a rollout.
            "kube-api-qps": 200,
            "kube-api-burst": 400,
            # A new Deployment under an autoscaler starts with one pod; in the usual 15 s a rehearsal is over before there are more.
            "horizontal-pod-autoscaler-sync-period": "1s",
        }

    def scheduler(self) -> Mapping[str, object]:
        return self._client("scheduler")

    def _client(self, name: str) -> Mapping[str, object]:
        kubeconfig = self._file(f"{name}.kubeconfig")
        return {
            "kubeconfig": kubeconfig,
            "authentication-kubeconfig": kubeconfig,
            "authorization-kubeconfig": kubeconfig,
            # Serves nothing: nobody scrapes it, and it is one port less to find free.
            "secure-port": 0,
            # There is one of it, and a lease that a killed one left would have to expire first.
            "leader-elect": "false",
        }

    def kwok(self) -> Mapping[str, object]:
        return {
            "kubeconfig": self._file("kwok.kubeconfig"),
            # Given, or kwok would read the person's own ~/.kwok/kwok.yaml.
            "config": self._kwok_config(),
            "manage-all-nodes": "true",
            # For a pod on a node that has not been given its own range yet.
            "cidr": self._network.pods,
            # Where `kubectl logs` is answered.
            "server-address": f"{LOOPBACK}:{self._ports['kubelets']}",
            "node-port": self._ports["kubelets"],
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
        config = self._layout.folder / "kwok.yaml"
        config.write_text("\n---\n".join([*parts, yaml.safe_dump(logs)]))
        return config
