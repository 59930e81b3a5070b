"""worker: background jobs from the queue in redis."""

from collections.abc import Sequence

import pulumi

from infra.apps import backend, traces
from infra.apps.config import AppConfig
from infra.apps.pod import Pod
from infra.apps.workload import Workload
from infra.cluster import Cluster, Namespace
from infra.pods import Resources
from infra.settings.schema import Settings


def worker(
    settings: Settings,
    *,
    cluster: Cluster,
    namespace: Namespace,
    config: AppConfig,
    depends_on: Sequence[pulumi.Input[pulumi.Resource]],
) -> Workload:
    """Never two at once, because each would run Asynq's schedule. No port and no probes: it exits when it fails."""
    pod = Pod(
        name="worker",
        image=settings.images.reference("worker"),
        singleton=True,
        environment=traces.pod_environment(settings, "worker"),
        environment_from=backend.ENVIRONMENT,
        secret_files=backend.SECRET_FILES,
        config_checksum=config.backend_checksum,
        egress=backend.egress(settings),
        resources=Resources(cpu=100, cpu_limit=1000, memory=256),
    )
    return Workload(
        pod,
        scale=1,
        adopted=settings.adopted,
        cluster=cluster,
        namespace=namespace,
        depends_on=[*config.objects, *depends_on],
    )
