"""The objects in which k3s records its snapshots of etcd, for clusters in which k3s does not run."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from rehearsal.control_plane.nodes import Manifest

FOLDER = "/var/lib/rancher/k3s/server/db/snapshots"
SIZE = 2_891_808


def snapshot_manifests(hostnames: Iterable[str], taken: datetime) -> Iterator[Manifest]:
    """One local snapshot of each server, as the schedule of k3s makes them. The status is a field like any other.

    https://docs.k3s.io/cli/etcd-snapshot shows such objects. k3s hashes more than the name of the snapshot.
    """
    for hostname in hostnames:
        name = f"etcd-snapshot-{hostname}-{int(taken.timestamp())}"
        digest = hashlib.sha256(name.encode()).hexdigest()[:6]
        yield {
            "apiVersion": "k3s.cattle.io/v1",
            "kind": "ETCDSnapshotFile",
            "metadata": {"name": f"local-{name}-{digest}"},
            "spec": {"snapshotName": name, "nodeName": hostname, "location": f"file://{FOLDER}/{name}"},
            "status": {
                "creationTime": taken.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "readyToUse": True,
                "size": str(SIZE),
            },
        }
