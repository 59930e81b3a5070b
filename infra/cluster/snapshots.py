"""Where the nodes put etcd's snapshots besides their own disks: a Secret that k3s reads before every snapshot.

A node whose configuration names it does (infra/machines/k3s.py; of one that was not made here, docs/upgrades.md).
https://docs.k3s.io/cli/etcd-snapshot#s3-configuration-secret-support
"""

from collections.abc import Mapping

import pulumi_kubernetes as kubernetes

from infra.cluster.helm_chart import HOME
from infra.cluster.secret import secret
from infra.component import Component
from infra.machines.k3s import SNAPSHOT_SECRET
from infra.settings.apps import STORE_ENDPOINT, STORE_REGION
from infra.settings.maintenance import SnapshotSettings
from infra.settings.schema import Settings
from infra.settings.secrets import Secrets


def store(settings: SnapshotSettings, environment: Mapping[str, str]) -> Mapping[str, str]:
    """The bucket, at the object store of the uploads; what is not said is k3s' default (HTTPS, verified, five minutes)."""
    return {
        "etcd-s3-endpoint": environment[STORE_ENDPOINT],
        "etcd-s3-region": environment[STORE_REGION],
        "etcd-s3-bucket": settings.bucket,
        "etcd-s3-folder": settings.folder,
        "etcd-s3-retention": str(settings.keep),
    }


class Snapshots(Component):
    """The Secret; nothing while no bucket is set."""

    def __init__(self, settings: Settings, secrets: Secrets, *, provider: kubernetes.Provider) -> None:
        super().__init__("cluster:Snapshots", "snapshots", provider=provider)
        self.register_outputs({})
        if settings.snapshots is None or secrets.snapshot_key_id is None or secrets.snapshot_application_key is None:
            return
        # A key of that bucket alone: the one of the uploads is in every pod of api and worker.
        keys = {"etcd-s3-access-key": secrets.snapshot_key_id, "etcd-s3-secret-key": secrets.snapshot_application_key}
        secret(
            SNAPSHOT_SECRET,
            {**store(settings.snapshots, settings.environment), **keys},
            namespace=HOME,
            parent=self,
            type_="etcd.k3s.cattle.io/s3-config-secret",
        )
