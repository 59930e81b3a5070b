"""redis: cache and queue, with a volume on the local disk of one node."""

import pulumi
from pulumi_kubernetes.core.v1 import (
    EnvVarArgs,
    EnvVarSourceArgs,
    PersistentVolumeClaimSpecArgs,
    SecretKeySelectorArgs,
    VolumeResourceRequirementsArgs,
)

from infra.apps.config import REDIS_PORT, SECRET, AppConfig
from infra.apps.pod import Pod
from infra.apps.workload import VolumeClaim, Workload
from infra.cluster import Cluster, Namespace
from infra.pods import Probes, Resources
from infra.settings.adopted import Volume
from infra.settings.apps import RedisSettings
from infra.settings.schema import Settings

NAME = "redis"
CLAIM = "redis-data"
REDIS_USER = 999
"""The user of the image. It owns the files, and Kubernetes does not change the owner on a local volume."""
MAXMEMORY_RATIO = 0.4
"""The share of the memory limit that redis fills with data.

While redis rewrites its append-only file, changed data is in memory twice. With 0.75, the kernel killed a full redis
under load (tests/real/test_redis.py).
"""


def server_arguments(settings: RedisSettings) -> list[str]:
    """Logs every write, stays below the memory limit, requires a password."""
    return [
        "--appendonly yes",
        f"--maxmemory {int(settings.memory_mi * MAXMEMORY_RATIO)}mb",
        f"--maxmemory-policy {settings.eviction_policy}",
        '--requirepass "$REDIS_PASSWORD"',
        "--dir /data",
    ]


def claim_spec(settings: RedisSettings, adopted: Volume | None) -> PersistentVolumeClaimSpecArgs:
    """The spec of a claim is immutable, so an adopted claim is declared exactly as it exists."""
    return PersistentVolumeClaimSpecArgs(
        access_modes=["ReadWriteOnce"],
        storage_class_name=adopted.storage_class if adopted else "local-path",
        volume_name=adopted.volume if adopted else None,
        resources=VolumeResourceRequirementsArgs(
            requests={"storage": adopted.storage if adopted else settings.storage}
        ),
    )


def redis(settings: Settings, *, cluster: Cluster, namespace: Namespace, config: AppConfig) -> Workload:
    """A single replica on the node that has the volume."""
    if settings.redis.evicts_jobs:
        pulumi.log.warn(
            f"honeydue:redis.evictionPolicy is {settings.redis.eviction_policy}: a full redis also evicts queued jobs. "
            "volatile-lru evicts only keys that expire (docs/runbook.md, redis is full)."
        )
    volume = settings.adopted.volumes.get(NAME)
    claim = VolumeClaim(
        logical_name=CLAIM, name=volume.claim if volume else CLAIM, spec=claim_spec(settings.redis, volume)
    )
    pod = Pod(
        name=NAME,
        component="cache",
        image=settings.images.redis,
        port=REDIS_PORT,
        port_name="redis",
        # A shell, because the manifest must not contain the password. `exec`, so that redis receives the signals.
        command=["sh", "-c"],
        args=["exec redis-server " + " ".join(server_arguments(settings.redis))],
        environment=[
            EnvVarArgs(
                name="REDIS_PASSWORD",
                value_from=EnvVarSourceArgs(secret_key_ref=SecretKeySelectorArgs(name=SECRET, key="REDIS_PASSWORD")),
            )
        ],
        config_checksum=config.redis_checksum,
        probes=Probes(command=["sh", "-c", 'REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli ping | grep -q PONG']),
        claims={"/data": claim.name},
        allow_from=["api", "worker"],
        singleton=True,
        node=settings.redis.node,
        user=REDIS_USER,
        exemptions={
            "container-security-context-user-group-id": "the user of the image, which owns the files on the volume",
            "deployment-replicas": "the volume is local to one node",
            "deployment-strategy": "two instances would write to the same append-only file",
        },
        resources=Resources(cpu=100, cpu_limit=500, memory=settings.redis.memory_mi),
    )
    return Workload(
        pod,
        scale=1,
        adopted=settings.adopted,
        cluster=cluster,
        namespace=namespace,
        depends_on=config.objects,
        claim=claim,
    )
