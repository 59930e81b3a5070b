"""web: the Next.js client at app. (book ch07, ch20)."""

from pulumi_kubernetes.core.v1 import EnvVarArgs

from infra.apps.config import AppConfig
from infra.apps.pod import Pod, Probes, Resources
from infra.apps.workload import Workload
from infra.cluster.namespace import Namespace
from infra.schema import Settings


def web(settings: Settings, *, namespace: Namespace, config: AppConfig, api: Workload) -> Workload:
    """Its server side proxies to api inside the cluster."""
    pod = Pod(
        name="web",
        image=settings.images.reference("web"),
        port=3000,
        environment=[
            EnvVarArgs(name="NEXT_PUBLIC_API_URL", value=f"https://api.{settings.domain}"),
            EnvVarArgs(name="API_URL", value=api.url),
        ],
        probes=Probes(http_path="/", startup_failures=24),
        scratch=["/tmp", "/app/.next/cache"],  # noqa: S108  # mounts inside the container
        routed=True,
        # Not 443 outside: its server side has API_URL. An image that still calls api by its public name fails here, and shows it.
        talks_to=[api.endpoint],
        resources=Resources(cpu=100, cpu_limit=500, memory=256),
    )
    return Workload(pod, scale=settings.scale.web, namespace=namespace, after=[*config.objects, api.deployment])
