"""api: the Go backend, and the landing page."""

from collections.abc import Sequence

import pulumi

from infra.apps import backend, traces
from infra.apps.config import AppConfig
from infra.apps.pod import Pod
from infra.apps.workload import Workload
from infra.cluster import Cluster, Namespace
from infra.pods import Probes, Resources
from infra.settings.apps import HEALTH_PATH
from infra.settings.schema import Settings


def api(
    settings: Settings,
    *,
    cluster: Cluster,
    namespace: Namespace,
    config: AppConfig,
    depends_on: Sequence[pulumi.Input[pulumi.Resource]],
) -> Workload:
    """Does not start unless the schema is up to date, so `depends_on` must contain the migration."""
    pod = Pod(
        name="api",
        image=settings.images.reference("api"),
        port=8000,
        environment=traces.pod_environment(settings, "api"),
        environment_from=backend.ENVIRONMENT,
        secret_files=backend.SECRET_FILES,
        config_checksum=config.backend_checksum,
        exposed=True,
        allow_from=["admin", "web"],
        egress=backend.egress(settings),
        # 240 s, because the first start seeds data in a database on another continent.
        probes=Probes(http_path=HEALTH_PATH, startup_failures=48),
        resources=Resources(cpu=250, cpu_limit=1000, memory=512),
    )
    return Workload(
        pod,
        scale=settings.scale.api,
        adopted=settings.adopted,
        cluster=cluster,
        namespace=namespace,
        depends_on=[*config.objects, *depends_on],
    )
