"""Manifests of Nodes, as k3s registers them, and of the PersistentVolumes on their disks."""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Manifest = dict[str, Any]

KWOK_HOST = "localhost"
"""The host name at which kwok serves the kubelet API of every simulated node."""
VOLUMES_PER_NODE = 3
"""The volumes that exist for new claims, because no provisioner runs."""
VOLUME_SIZE = "20Gi"


SECRET_OPTIONS = frozenset({"token", "agent-token", "datastore-endpoint", "etcd-s3-access-key", "etcd-s3-secret-key"})


@dataclass(frozen=True, kw_only=True)
class Node:
    """One node of the cluster. `server_type` and `location` are those of Hetzner."""

    hostname: str
    ipv4: str | None
    """The InternalIP. None where the settings contain no address: the simulated cloud then chooses one."""
    server_type: str
    location: str
    external_ipv4: str | None = None
    kubelet_host: str = KWOK_HOST
    """The InternalDNS, to which the API server connects for `kubectl logs`."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    pod_cidr: str | None = None
    """The addresses of its pods. None: the controller manager chooses them."""
    finalizers: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """The CPUs and memory of a server type."""

    cpu: str
    memory: str


CAPACITIES: Mapping[str, Capacity] = {
    "cx23": Capacity(cpu="2", memory="4Gi"),
    "cx33": Capacity(cpu="4", memory="8Gi"),
    "cx43": Capacity(cpu="8", memory="16Gi"),
    "cx53": Capacity(cpu="16", memory="32Gi"),
}
DEFAULT_CAPACITY = CAPACITIES["cx33"]
"""For every other server type."""


@dataclass(frozen=True, kw_only=True)
class LocalVolume:
    """A PersistentVolume on the disk of one node."""

    name: str
    storage_class: str
    size: str
    hostname: str


def configuration_annotations(options: Mapping[str, object]) -> Mapping[str, str]:
    """The annotations in which a server records the options of its configuration file, without secrets.

    `SetNodeConfigAnnotations` in pkg/nodeconfig/nodeconfig.go of k3s: a list of the command line, as JSON.
    """
    arguments = ["server"]
    for name, value in options.items():
        for item in value if isinstance(value, list) else [value]:
            text = str(item).lower() if isinstance(item, bool) else str(item)
            arguments += [f"--{name}", "********" if name in SECRET_OPTIONS else text]
    recorded, environment = json.dumps(arguments, separators=(",", ":")), "{}"
    digest = hashlib.sha256(f"{recorded}{environment}".encode()).digest()
    return {
        "k3s.io/node-args": recorded,
        "k3s.io/node-config-hash": base64.b32encode(digest).decode(),
        "k3s.io/node-env": environment,
    }


def kwok_manifests(
    nodes: Iterable[Node], *, volumes: Iterable[LocalVolume] = (), kubelet_version: str
) -> Iterator[Manifest]:
    """The Nodes and volumes of nodes that kwok simulates. They include the status, which a kubelet would set."""
    for node in nodes:
        yield {**_node(node), "status": _status(node, kubelet_version)}
    yield from _volumes(nodes, volumes)


def real_node_manifests(nodes: Iterable[Node], *, volumes: Iterable[LocalVolume] = ()) -> Iterator[Manifest]:
    """The Nodes and volumes of real nodes. A kubelet may not set the labels and the podCIDR of its own Node."""
    for node in nodes:
        # kube-proxy and the network policy controller need the address when they start. The kubelet may set it later.
        yield {**_node(node), "status": {"addresses": [{"type": "InternalIP", "address": node.ipv4}]}}
    yield from _volumes(nodes, volumes)


def _volumes(nodes: Iterable[Node], adopted: Iterable[LocalVolume]) -> Iterator[Manifest]:
    for volume in _all_volumes(nodes, adopted):
        yield _volume(volume)


def _all_volumes(nodes: Iterable[Node], adopted: Iterable[LocalVolume]) -> Iterator[LocalVolume]:
    for node in nodes:
        for number in range(1, VOLUMES_PER_NODE + 1):
            name = f"local-path-{node.hostname}-{number}"
            yield LocalVolume(name=name, storage_class="local-path", size=VOLUME_SIZE, hostname=node.hostname)
    yield from adopted


def volume_paths(hostname: str, nodes: Iterable[Node], adopted: Iterable[LocalVolume]) -> dict[str, str]:
    """The folder of each volume on the disk of the node `hostname`, by the name of the volume."""
    return {volume.name: _path(volume) for volume in _all_volumes(nodes, adopted) if volume.hostname == hostname}


def _path(volume: LocalVolume) -> str:
    return f"/var/lib/rancher/k3s/storage/{volume.name}"


def _node(node: Node) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": node.hostname,
            "annotations": {**node.annotations},
            "finalizers": [*node.finalizers],
            "labels": {
                "beta.kubernetes.io/arch": "amd64",
                "beta.kubernetes.io/instance-type": "k3s",
                "beta.kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": node.hostname,
                "kubernetes.io/os": "linux",
                "node-role.kubernetes.io/control-plane": "true",
                "node-role.kubernetes.io/etcd": "true",
                "node.kubernetes.io/instance-type": "k3s",
                # k3s does not set this label. In production it exists where the node is configured with it
                # (docs/rehearsal.md).
                "topology.kubernetes.io/zone": node.location,
                **node.labels,
            },
        },
        "spec": {
            "providerID": f"k3s://{node.hostname}",
            **({"podCIDR": node.pod_cidr, "podCIDRs": [node.pod_cidr]} if node.pod_cidr else {}),
        },
    }


def _status(node: Node, kubelet_version: str) -> Manifest:
    size = CAPACITIES.get(node.server_type, DEFAULT_CAPACITY)
    resources = {"cpu": size.cpu, "memory": size.memory, "ephemeral-storage": "80Gi", "pods": "110"}
    return {
        "addresses": [
            *([{"type": "InternalIP", "address": node.ipv4}] if node.ipv4 else []),
            *([{"type": "ExternalIP", "address": node.external_ipv4}] if node.external_ipv4 else []),
            {"type": "Hostname", "address": node.hostname},
            {"type": "InternalDNS", "address": node.kubelet_host},
        ],
        "capacity": resources,
        "allocatable": resources,
        "nodeInfo": {
            "architecture": "amd64",
            "operatingSystem": "linux",
            "kubeletVersion": kubelet_version,
            "osImage": "simulated by kwok",
            "containerRuntimeVersion": "kwok://",
            "kernelVersion": "",
            "kubeProxyVersion": "",
            "bootID": "",
            "machineID": "",
            "systemUUID": "",
        },
    }


def _volume(volume: LocalVolume) -> Manifest:
    """A volume that exists before its claim. Kubernetes binds a claim to it without a provisioner.

    It is of type `local`, because the annotation `defaultVolumeType` of k3s' storage class selects this type. For a
    `hostPath` volume the kubelet would create a missing folder. For a `local` volume it does not, and the pod waits.
    """
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume.name},
        "spec": {
            "storageClassName": volume.storage_class,
            "capacity": {"storage": volume.size},
            "accessModes": ["ReadWriteOnce"],
            # With Delete, the volume becomes Failed, because no provisioner deletes it. kwok/volumes.yaml deletes it.
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": _path(volume)},
            "nodeAffinity": {
                "required": {
                    "nodeSelectorTerms": [
                        {
                            "matchExpressions": [
                                {"key": "kubernetes.io/hostname", "operator": "In", "values": [volume.hostname]}
                            ]
                        }
                    ]
                }
            },
        },
    }
