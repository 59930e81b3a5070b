"""web: the client at app. (book ch07, ch20)."""

from infra.apps.config import AppConfig
from infra.apps.frontend import frontend
from infra.apps.workload import Workload
from infra.cluster.namespace import Namespace
from infra.settings.schema import Settings


def web(settings: Settings, *, namespace: Namespace, config: AppConfig, api: Workload) -> Workload:
    """As many as the settings say, spread over the nodes."""
    pod = frontend("web", settings, api=api)
    return Workload(pod, scale=settings.scale.web, namespace=namespace, after=[*config.objects, api.deployment])
