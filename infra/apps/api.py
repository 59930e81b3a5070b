"""api: the Go backend, and the landing page at the apex (book ch07)."""

from collections.abc import Sequence

import pulumi

from infra.apps import backend
from infra.apps.config import AppConfig
from infra.apps.pod import Pod, Probes, Resources
from infra.apps.workload import Workload
from infra.cluster.namespace import Namespace
from infra.settings.schema import Settings


def api(settings: Settings, *, namespace: Namespace, config: AppConfig, after: Sequence[pulumi.Resource]) -> Workload:
    """Refuses to boot unless the schema is applied, hence `after`."""
    pod = Pod(
        name="api",
        image=settings.images.reference("api"),
        port=8000,
        environment_from=backend.ENVIRONMENT,
        secret_files=backend.SECRET_FILES,
        reads=config.read_by_backend,
        routed=True,
        reached_from=["admin", "web"],
        talks_to=backend.talks_to(settings),
        # 240 s: its first boot seeds data over a transatlantic link.
        probes=Probes(http_path="/api/health/", startup_failures=48),
        resources=Resources(cpu=250, cpu_limit=1000, memory=512),
    )
    return Workload(pod, scale=settings.scale.api, namespace=namespace, after=[*config.objects, *after])
