"""The Secret with the bucket for etcd snapshots. k3s reads it before every snapshot.

Only nodes whose k3s configuration names the Secret use it (infra/machines/k3s.py; for existing nodes see
docs/upgrades.md). https://docs.k3s.io/cli/etcd-snapshot#s3-configuration-secret-support
"""

from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as kubernetes

from infra.cluster.secret import secret
from infra.component import Component
from infra.machines.k3s import SNAPSHOT_SECRET
from infra.names import KUBE_SYSTEM
from infra.settings.apps import STORE_ENDPOINT, STORE_REGION
from infra.settings.maintenance import SnapshotSettings
from infra.settings.schema import Settings
from infra.settings.secrets import Secrets


def bucket_options(settings: SnapshotSettings, environment: Mapping[str, str]) -> Mapping[str, str]:
    """The bucket at the object store of the uploads. Other options have k3s' defaults: HTTPS, verified, 5 minutes."""
    return {
        "etcd-s3-endpoint": environment[STORE_ENDPOINT],
        "etcd-s3-region": environment[STORE_REGION],
        "etcd-s3-bucket": settings.bucket,
        "etcd-s3-folder": settings.folder,
        "etcd-s3-retention": str(settings.keep),
    }


class Snapshots(Component):
    """The Secret. Empty while `snapshots` is not set."""

    def __init__(self, settings: Settings, secrets: Secrets, *, provider: kubernetes.Provider) -> None:
        super().__init__("cluster:Snapshots", "snapshots", provider=provider)
        if settings.snapshots and secrets.snapshot_key_id is not None and secrets.snapshot_application_key is not None:
            # A key for this bucket only. The key of the uploads is in every pod of api and worker.
            content: Mapping[str, pulumi.Input[str]] = {
                **bucket_options(settings.snapshots, settings.environment),
                "etcd-s3-access-key": secrets.snapshot_key_id,
                "etcd-s3-secret-key": secrets.snapshot_application_key,
            }
            secret(
                SNAPSHOT_SECRET,
                content,
                namespace=KUBE_SYSTEM,
                parent=self,
                type_="etcd.k3s.cattle.io/s3-config-secret",
            )
        self.register_outputs({})
