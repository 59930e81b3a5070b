"""admin: the admin panel."""

from infra.apps.config import AppConfig
from infra.apps.frontend import frontend
from infra.apps.workload import Workload
from infra.cluster import Cluster, Namespace
from infra.settings.schema import Settings


def admin(settings: Settings, *, cluster: Cluster, namespace: Namespace, config: AppConfig, api: Workload) -> Workload:
    """Usually a single replica, as in the deployment book."""
    exemptions = {"deployment-replicas": "the panel may be unavailable for the minute that a drain takes"}
    pod = frontend("admin", settings, api=api, uses_api_url=settings.admin_uses_api_url, exemptions=exemptions)
    return Workload(
        pod,
        scale=settings.scale.admin,
        adopted=settings.adopted,
        cluster=cluster,
        namespace=namespace,
        depends_on=[*config.objects, api.deployment],
    )
