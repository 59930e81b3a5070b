"""Decides whether the data of a volume is lost, from objects that were read from the cluster."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ops.conditions import is_true
from ops.errors import OpsError
from ops.kubernetes import Object


class DataExistsError(OpsError):
    """The data exists, or may exist, on the disk of a node that is Ready."""


class NoVolumeError(OpsError):
    """The claim has no volume, so there is no data."""


@dataclass(frozen=True, kw_only=True)
class Storage:
    """A claim, its volume, the node with the volume's disk, and the pods that use the claim with their events.

    An object that does not exist in the cluster is None.
    """

    app: str
    claim: Object | None
    volume: Object | None
    node: Object | None
    pods: Sequence[Object]
    events: Sequence[Object]

    @property
    def hostname(self) -> str:
        """The node of the volume. A local volume names exactly one."""
        return node_of(self.volume) if self.volume else ""


def node_of(volume: Object) -> str:
    """The name of the node whose disk has the volume. Raises an OpsError for a volume elsewhere."""
    try:
        (term,) = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
        (name,) = term["matchExpressions"][0]["values"]
    except (KeyError, IndexError, ValueError):
        raise OpsError(
            f"volume {volume['metadata']['name']} is not on the disk of one node, so it is not lost with a node"
        ) from None
    return str(name)


def reason_of_loss(storage: Storage) -> str:
    """Why the data is lost.

    Raises a DataExistsError if it exists or may exist, and another OpsError if its node may return.
    """
    claim, volume, node = storage.claim, storage.volume, storage.node
    if claim is None:
        return "its claim no longer exists"
    name = claim["spec"].get("volumeName")
    if not name:
        raise NoVolumeError(
            f"claim {claim['metadata']['name']} has no volume yet. It gets an empty one as soon as a pod of "
            f"{storage.app} can be scheduled"
        )
    if volume is None:
        return f"its volume {name} no longer exists"
    if node is None:
        return f"node {storage.hostname}, whose disk had volume {name}, no longer exists"
    if not is_true(node, "Ready"):
        raise OpsError(
            f"node {storage.hostname} is not Ready, and its disk may still have the data. Start the server, or replace "
            f"it (docs/nodes.md). If it is lost permanently: kubectl delete node {storage.hostname}, then run this "
            "command again"
        )
    if any(is_true(pod, "Ready") for pod in storage.pods):
        raise DataExistsError(f"{storage.app} runs on node {storage.hostname} with its data")
    if _folder_is_missing(storage, volume):
        return f"the new disk of node {storage.hostname} does not have the folder of volume {name}"
    if "hostPath" in volume["spec"] and _created(node) > _created(volume):
        return f"node {storage.hostname} was replaced after volume {name} was created"
    raise DataExistsError(
        f"node {storage.hostname} is Ready and may have the data: its kubelet has not reported that the folder of "
        f"volume {name} is missing. See why the pod does not run: kubectl -n {claim['metadata']['namespace']} describe "
        f"pods -l app.kubernetes.io/name={storage.app}"
    )


def _folder_is_missing(storage: Storage, volume: Object) -> bool:
    """Whether the kubelet reported it in an event of these pods (pkg/volume/util/hostutil of Kubernetes)."""
    missing = f'path "{volume["spec"].get("local", {}).get("path")}" does not exist'
    pods = {pod["metadata"]["uid"] for pod in storage.pods}
    return any(
        event["reason"] == "FailedMount"
        and event["involvedObject"].get("uid") in pods
        and missing in event.get("message", "")
        for event in storage.events
    )


def _created(live: Object) -> datetime:
    return datetime.fromisoformat(live["metadata"]["creationTimestamp"])
