"""The nodes a world begins with, as k3s would have registered them, and the volumes on their disks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Manifest = dict[str, Any]

KWOK_HOST = "localhost"
"""Where kwok answers in place of every kubelet."""
VOLUMES_PER_NODE = 3
VOLUME_SIZE = "20Gi"


@dataclass(frozen=True, kw_only=True)
class Node:
    """One machine of the cluster. Without an address in the settings, the simulated cloud chooses one."""

    hostname: str
    ipv4: str | None
    """By which the cluster knows it."""
    server_type: str
    location: str
    external_ipv4: str | None = None
    kubelet_host: str = KWOK_HOST
    """Where its kubelet is asked for logs."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    pod_cidr: str | None = None
    """The range of its pods; else the controller manager chooses one."""
    finalizers: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What a server type offers to Kubernetes."""

    cpu: str
    memory: str


CAPACITIES: Mapping[str, Capacity] = {
    "cx23": Capacity(cpu="2", memory="4Gi"),
    "cx33": Capacity(cpu="4", memory="8Gi"),
    "cx43": Capacity(cpu="8", memory="16Gi"),
    "cx53": Capacity(cpu="16", memory="32Gi"),
}
DEFAULT_CAPACITY = CAPACITIES["cx33"]


@dataclass(frozen=True, kw_only=True)
class LocalVolume:
    """A volume that an adopted claim names, on the disk of one node."""

    name: str
    storage_class: str
    size: str
    hostname: str


def kwok_manifests(
    nodes: Iterable[Node], *, volumes: Iterable[LocalVolume] = (), kubelet_version: str
) -> Iterator[Manifest]:
    """Every object that stands for machines that are played."""
    for node in nodes:
        yield {**_node(node), "status": _status(node, kubelet_version)}
    for disk in _volumes(nodes, volumes):
        yield _volume(disk, {"local": {"path": _path(disk)}})


def real_node_manifests(nodes: Iterable[Node], *, volumes: Iterable[LocalVolume] = ()) -> Iterator[Manifest]:
    """Every object that real kubelets find there: what a node may not say of itself, and its volumes.

    Of the kind that k3s' provisioner makes: for a path of the host the kubelet changes no owner, whatever the pod's fsGroup.
    """
    for node in nodes:
        # kube-proxy and the policy controller ask for it as they start, and the kubelet may still be starting.
        yield {**_node(node), "status": {"addresses": [{"type": "InternalIP", "address": node.ipv4}]}}
    for disk in _volumes(nodes, volumes):
        yield _volume(disk, {"hostPath": {"path": _path(disk), "type": "Directory"}})


def _volumes(nodes: Iterable[Node], adopted: Iterable[LocalVolume]) -> Iterator[LocalVolume]:
    for node in nodes:
        for number in range(1, VOLUMES_PER_NODE + 1):
            name = f"local-path-{node.hostname}-{number}"
            yield LocalVolume(name=name, storage_class="local-path", size=VOLUME_SIZE, hostname=node.hostname)
    yield from adopted


def volume_paths(hostname: str, nodes: Iterable[Node], adopted: Iterable[LocalVolume]) -> list[str]:
    """The folders that stand for volumes on that node's disk."""
    return [_path(disk) for disk in _volumes(nodes, adopted) if disk.hostname == hostname]


def _path(disk: LocalVolume) -> str:
    return f"/var/lib/rancher/k3s/storage/{disk.name}"


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
                # k3s sets none by itself: a node that was not told its zone has no such label (docs/rehearsal.md).
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
            "osImage": "played by kwok",
            "containerRuntimeVersion": "kwok://",
            "kernelVersion": "",
            "kubeProxyVersion": "",
            "bootID": "",
            "machineID": "",
            "systemUUID": "",
        },
    }


def _volume(disk: LocalVolume, source: Manifest) -> Manifest:
    """A volume. Nothing provisions here, and a claim binds to one that is there just as well."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": disk.name},
        "spec": {
            "storageClassName": disk.storage_class,
            "capacity": {"storage": disk.size},
            "accessModes": ["ReadWriteOnce"],
            # Delete would leave it Failed, with no provisioner to delete it; kwok/volumes.yaml makes it free again.
            "persistentVolumeReclaimPolicy": "Retain",
            **source,
            "nodeAffinity": {
                "required": {
                    "nodeSelectorTerms": [
                        {
                            "matchExpressions": [
                                {"key": "kubernetes.io/hostname", "operator": "In", "values": [disk.hostname]}
                            ]
                        }
                    ]
                }
            },
        },
    }
