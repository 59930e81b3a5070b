"""A cluster in which everything is well, for `make status`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from infra.names import DATABASE_BACKUP, NAMESPACE, RESTORE_DRILL
from infra.settings.schema import Settings
from ops.errors import ForbiddenError
from ops.kubernetes import Cluster, Object
from ops.status.release import declared_images


class WellCluster(Cluster):
    """Tests change its objects, by kind."""

    def __init__(self, settings: Settings) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        images = declared_images(settings.images)
        self.forbidden: set[str] = set()
        self.objects: dict[str, list[Any]] = {
            "Node": [
                {"metadata": {"name": node.hostname}, "status": {**ready, "nodeInfo": {"kubeletVersion": "v1"}}}
                for node in settings.nodes.values()
            ],
            "Deployment": [
                {
                    "metadata": {"name": app},
                    "spec": {"replicas": 1, "selector": {"matchLabels": {"app": app}}},
                    "status": {"readyReplicas": 1},
                }
                for app in images
            ],
            "Pod": [
                {
                    "metadata": {"name": app, "namespace": NAMESPACE, "labels": {"app": app}, "creationTimestamp": now},
                    "spec": {"containers": [{"image": image}]},
                    "status": ready,
                }
                for app, image in images.items()
            ],
            "Job": [
                {
                    "metadata": {"name": "migrate"},
                    "status": {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": now}]},
                }
            ],
            "CronJob": [
                {"metadata": {"name": name, "creationTimestamp": now}, "status": {"lastSuccessfulTime": now}}
                for name in (DATABASE_BACKUP, RESTORE_DRILL)
            ],
            "ETCDSnapshotFile": [
                {"spec": {"nodeName": "one", "s3": {}}, "status": {"readyToUse": True, "creationTime": now}},
                {
                    "spec": {"nodeName": "two", "s3": {"bucket": "b"}},
                    "status": {"readyToUse": True, "creationTime": now},
                },
            ],
        }

    def nodes(self) -> Sequence[Object]:
        return self.list("v1", "Node", "")

    def list_everywhere(self, api_version: str, kind: str) -> Sequence[Object]:
        return self.list(api_version, kind, "")

    def list(self, api_version: str, kind: str, namespace: str) -> Sequence[Object]:  # noqa: ARG002
        if kind in self.forbidden:
            raise ForbiddenError(f"may not list {kind}")
        return self.objects[kind]
