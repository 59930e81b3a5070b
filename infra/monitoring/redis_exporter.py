"""redis_exporter: memory and evictions of redis, and how long its oldest task has waited."""

from collections.abc import Mapping
from importlib.resources import files

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap, EnvVarArgs, EnvVarSourceArgs, SecretKeySelectorArgs
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.apps.config import REDIS_PORT, checksum
from infra.cluster import Cluster, Namespace
from infra.cluster.namespace import network_policy
from infra.cluster.secret import secret
from infra.component import Component
from infra.monitoring.connections import ingress_policy, ingress_policy_name, policy, to_pods
from infra.monitoring.kube_state_metrics import SINGLE_EXPORTER
from infra.monitoring.ports import REDIS_EXPORTER, REDIS_EXPORTER_PORT, VMAGENT
from infra.monitoring.workload import Workload
from infra.names import MONITORING, NAMESPACE
from infra.pods import Pod, Probes, Resources
from infra.settings.monitoring import MonitoringSettings
from infra.settings.schema import Settings
from infra.settings.secrets import Secrets

CONFIG, SCRIPT_FILE = "/etc/redis-exporter", "queue.lua"
PASSWORD = "REDIS_PASSWORD"  # noqa: S105  # the name of a key


def queue_script() -> str:
    """The script that redis_exporter runs with EVAL at each scrape. Its results are `redis_script_values{key=…}`."""
    return files("infra.monitoring").joinpath("files", SCRIPT_FILE).read_text()


def redis_exporter_pod(monitoring: MonitoringSettings, *, script: str, password: pulumi.Output[str]) -> Pod:
    """The pod. The password is a variable from its own Secret, as redis reads it too."""
    key = SecretKeySelectorArgs(name=REDIS_EXPORTER, key=PASSWORD)
    return Pod(
        name=REDIS_EXPORTER,
        component="exporter",
        image=monitoring.images.redis_exporter,
        port=REDIS_EXPORTER_PORT,
        args=[
            f"--redis.addr=redis://redis.{NAMESPACE}.svc:{REDIS_PORT}",
            f"--script={CONFIG}/{SCRIPT_FILE}",
            f"--web.listen-address=:{REDIS_EXPORTER_PORT}",
        ],
        environment=[EnvVarArgs(name=PASSWORD, value_from=EnvVarSourceArgs(secret_key_ref=key))],
        probes=Probes(http_path="/health"),
        config_checksum=checksum({SCRIPT_FILE: script, PASSWORD: password}),
        config_files={CONFIG: REDIS_EXPORTER},
        empty_dirs=(),
        singleton=True,
        exemptions=SINGLE_EXPORTER,
        resources=Resources(cpu=10, cpu_limit=100, memory=32, disk=64),
    )


class RedisExporter(Component):
    """The exporter, its script and its Secret, and the policy of redis that allows its connections."""

    def __init__(
        self,
        settings: Settings,
        monitoring: MonitoringSettings,
        secrets: Secrets,
        *,
        cluster: Cluster,
        namespace: Namespace,
        namespaces: Mapping[str, pulumi.Output[str]],
    ) -> None:
        super().__init__("monitoring:RedisExporter", REDIS_EXPORTER, provider=cluster.provider)
        script = queue_script()
        config = ConfigMap(
            REDIS_EXPORTER,
            metadata=ObjectMetaArgs(name=REDIS_EXPORTER, namespace=namespaces[MONITORING]),
            data={SCRIPT_FILE: script},
            opts=self.child_options(),
        )
        password = secret(
            REDIS_EXPORTER, {PASSWORD: secrets.redis_password}, namespace=namespaces[MONITORING], parent=self
        )
        redis = settings.adopted.selector("redis")
        allowed = network_policy(
            namespace.name,
            ingress_policy_name("redis", client=REDIS_EXPORTER),
            ingress_policy(redis, client=REDIS_EXPORTER, port=REDIS_PORT),
            self.child_options(),
        )
        Workload(
            redis_exporter_pod(monitoring, script=script, password=secrets.redis_password),
            kind="Deployment",
            policy=policy(
                REDIS_EXPORTER,
                ingress={REDIS_EXPORTER_PORT: [VMAGENT]},
                egress=[to_pods(redis, REDIS_PORT, namespace=NAMESPACE)],
            ),
            namespace=namespaces[MONITORING],
            cluster=cluster,
            depends_on=[config, password, allowed],
        )
        self.register_outputs({})
