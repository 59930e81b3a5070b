"""worker: background jobs from redis (book ch07)."""

from collections.abc import Sequence

import pulumi

from infra.apps import backend
from infra.apps.config import AppConfig
from infra.apps.pod import Pod, Resources
from infra.apps.workload import Workload
from infra.cluster.namespace import Namespace
from infra.settings.schema import Settings


def worker(
    settings: Settings, *, namespace: Namespace, config: AppConfig, after: Sequence[pulumi.Resource]
) -> Workload:
    """One, and never two at once: each would run Asynq's schedule. It listens on nothing, so it exits when it is unwell."""
    pod = Pod(
        name="worker",
        image=settings.images.reference("worker"),
        singleton=True,
        environment_from=backend.ENVIRONMENT,
        secret_files=backend.SECRET_FILES,
        reads=config.read_by_backend,
        talks_to=backend.talks_to(settings),
        resources=Resources(cpu=100, cpu_limit=1000, memory=256),
    )
    return Workload(pod, scale=1, namespace=namespace, after=[*config.objects, *after])
