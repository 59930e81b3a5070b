"""admin: the panel at admin. (book ch07)."""

from infra.apps.config import AppConfig
from infra.apps.frontend import frontend
from infra.apps.workload import Workload
from infra.cluster.namespace import Namespace
from infra.settings.schema import Settings


def admin(settings: Settings, *, namespace: Namespace, config: AppConfig, api: Workload) -> Workload:
    """One, as the book runs it."""
    alone = {"deployment-replicas": "the book runs one: a panel may be away for the minute a node takes to drain"}
    pod = frontend("admin", settings, api=api, exempt=alone)
    return Workload(pod, scale=settings.scale.admin, namespace=namespace, after=[*config.objects, api.deployment])
