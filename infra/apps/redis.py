"""redis: cache and queue, on a volume local to one node (book ch07)."""

import pulumi
from pulumi_kubernetes.core.v1 import (
    EnvVarArgs,
    EnvVarSourceArgs,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpecArgs,
    SecretKeySelectorArgs,
    VolumeResourceRequirementsArgs,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.apps.config import REDIS_PORT, SECRET, AppConfig
from infra.apps.pod import Pod, Probes, Resources
from infra.apps.workload import Workload
from infra.cluster.namespace import Namespace
from infra.settings.adopted import Volume
from infra.settings.apps import RedisSettings

NAME = "redis"
CLAIM = "redis-data"
REDIS_USER = 999
"""The image's own user: its files on the volume belong to it, and a local volume is not handed over."""
USABLE = 0.4
"""Share of its memory that redis fills with data. While it rewrites its log, what is written meanwhile is there twice: at 0.75 the
kernel killed a full one under load (tests/real/test_redis.py)."""


def server_arguments(settings: RedisSettings) -> list[str]:
    """Every write logged, the least used key evicted before the kernel kills the process, a password asked of everyone."""
    return [
        "--appendonly yes",
        f"--maxmemory {int(settings.memory_mi * USABLE)}mb",
        "--maxmemory-policy allkeys-lru",
        '--requirepass "$REDIS_PASSWORD"',
        "--dir /data",
    ]


def claim_spec(settings: RedisSettings, adopted: Volume | None) -> PersistentVolumeClaimSpecArgs:
    """Of a claim nothing can be changed: an adopted one is asked for as it was once made."""
    return PersistentVolumeClaimSpecArgs(
        access_modes=["ReadWriteOnce"],
        storage_class_name=adopted.storage_class if adopted else "local-path",
        volume_name=adopted.volume if adopted else None,
        resources=VolumeResourceRequirementsArgs(
            requests={"storage": adopted.storage if adopted else settings.storage}
        ),
    )


def redis(settings: RedisSettings, image: str, *, namespace: Namespace, config: AppConfig) -> Workload:
    """One redis, its volume claim protected, pinned to the node that holds the volume."""
    adopted = namespace.network.adopted.volumes.get(NAME)
    claim_name = adopted.claim if adopted else CLAIM
    claim = PersistentVolumeClaim(
        CLAIM,
        metadata=ObjectMetaArgs(
            name=claim_name,
            namespace=namespace.name,
            # Its class waits for the first pod, so the provider awaits that it is pending: of a bound one it would do so in vain.
            annotations={"pulumi.com/skipAwait": "true"},
        ),
        spec=claim_spec(settings, adopted),
        opts=pulumi.ResourceOptions(provider=namespace.provider, protect=True),
    )
    pod = Pod(
        name=NAME,
        part="cache",
        image=image,
        port=REDIS_PORT,
        port_name="redis",
        # A shell, so that the password stays out of the pod's text; `exec`, so that redis gets the signals.
        command=["sh", "-c"],
        args=["exec redis-server " + " ".join(server_arguments(settings))],
        environment=[
            EnvVarArgs(
                name="REDIS_PASSWORD",
                value_from=EnvVarSourceArgs(secret_key_ref=SecretKeySelectorArgs(name=SECRET, key="REDIS_PASSWORD")),
            )
        ],
        reads=config.read_by_redis,
        probes=Probes(command=["sh", "-c", 'REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli ping | grep -q PONG']),
        claims={"/data": claim_name},
        reached_from=["api", "worker"],
        singleton=True,
        node=settings.node,
        user=REDIS_USER,
        exempt={
            "container-security-context-user-group-id": "the image's own user, whose files are on the volume",
            "deployment-replicas": "its volume is local to one node",
            "deployment-strategy": "two on one volume would write one AOF",
        },
        resources=Resources(cpu=100, cpu_limit=500, memory=settings.memory_mi),
    )
    return Workload(pod, scale=1, namespace=namespace, after=[*config.objects, claim])
