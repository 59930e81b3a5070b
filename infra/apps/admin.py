"""admin: the Next.js panel (book ch07, ch12)."""

from pulumi_kubernetes.core.v1 import EnvVarArgs

from infra.apps.config import AppConfig
from infra.apps.pod import Pod, Probes, Resources
from infra.apps.workload import Workload
from infra.cluster.namespace import Namespace
from infra.schema import Settings


def admin(settings: Settings, *, namespace: Namespace, config: AppConfig, api: Workload) -> Workload:
    """Browsers call api by its public name, the server side calls it inside the cluster."""
    pod = Pod(
        name="admin",
        image=settings.images.reference("admin"),
        port=3000,
        environment=[
            EnvVarArgs(name="NEXT_PUBLIC_API_URL", value=f"https://api.{settings.domain}"),
            EnvVarArgs(name="API_URL", value=api.url),
        ],
        # "/", not "/admin/": that one answers 404, and killed the pod every 90 s for six hours once.
        probes=Probes(http_path="/", startup_failures=24),
        scratch=["/tmp", "/app/.next/cache"],  # noqa: S108  # mounts inside the container
        exempt={"deployment-replicas": "the book runs one: a panel may be away for the minute a node takes to drain"},
        routed=True,
        # Not 443 outside: its server side has API_URL. An image that still calls api by its public name fails here, and shows it.
        talks_to=[api.endpoint],
        resources=Resources(cpu=100, cpu_limit=500, memory=256),
    )
    return Workload(pod, scale=settings.scale.admin, namespace=namespace, after=[*config.objects, api.deployment])
