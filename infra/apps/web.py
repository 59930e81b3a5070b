"""web: the web client."""

from infra.apps.config import AppConfig
from infra.apps.frontend import frontend
from infra.apps.workload import Workload
from infra.cluster import Cluster, Namespace
from infra.settings.schema import Settings


def web(settings: Settings, *, cluster: Cluster, namespace: Namespace, config: AppConfig, api: Workload) -> Workload:
    """Several replicas, spread over the nodes."""
    return Workload(
        frontend("web", settings, api=api),
        scale=settings.scale.web,
        adopted=settings.adopted,
        cluster=cluster,
        namespace=namespace,
        depends_on=[*config.objects, api.deployment],
    )
