"""The schema migration: a Job with the api image, which completes before any pod that needs the schema starts."""

import pulumi
from pulumi_kubernetes.batch.v1 import Job, JobSpecArgs
from pulumi_kubernetes.core.v1 import (
    ConfigMapKeySelectorArgs,
    EnvVarArgs,
    EnvVarSourceArgs,
    PodTemplateSpecArgs,
    SecretKeySelectorArgs,
    ServiceAccount,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.apps.config import CONFIG_MAP, SECRET, AppConfig
from infra.apps.network_policy import pod_network_policy
from infra.apps.pod import Demand, Pod, Resources, kube_score_annotation, labels, pod_spec
from infra.cluster import Cluster, Namespace
from infra.cluster.network_policies import Destination
from infra.component import Component
from infra.names import NAMESPACE
from infra.settings.adopted import Labels
from infra.settings.schema import Settings

NAME = "migrate"

# libpq's variables, which goose's driver reads, by the key of the ConfigMap. References keep the manifest of the Job
# independent of the values, so that only a new image runs a migration.
CONNECTION = {
    "PGHOST": "DB_DIRECT_HOST",
    "PGPORT": "DB_PORT",
    "PGDATABASE": "POSTGRES_DB",
    "PGUSER": "POSTGRES_USER",
    "PGSSLMODE": "DB_SSLMODE",
}


def connection_environment() -> list[EnvVarArgs]:
    """goose connects to the direct host, because session locks do not work through the pooler."""
    return [
        *(
            EnvVarArgs(
                name=name,
                value_from=EnvVarSourceArgs(config_map_key_ref=ConfigMapKeySelectorArgs(name=CONFIG_MAP, key=key)),
            )
            for name, key in CONNECTION.items()
        ),
        EnvVarArgs(
            name="PGPASSWORD",
            value_from=EnvVarSourceArgs(secret_key_ref=SecretKeySelectorArgs(name=SECRET, key="POSTGRES_PASSWORD")),
        ),
        EnvVarArgs(name="GOOSE_DRIVER", value="postgres"),
        # goose requires a connection string. The variables above contain the actual values.
        EnvVarArgs(name="GOOSE_DBSTRING", value=f"application_name={NAME}"),
        EnvVarArgs(name="GOOSE_MIGRATION_DIR", value="migrations"),
    ]


def migration_pod(settings: Settings) -> Pod:
    """`goose up` with the api image. It completes in seconds when there is nothing to apply."""
    return Pod(
        name=NAME,
        component="migration",
        image=settings.images.reference("api"),
        command=["goose"],
        args=["up"],
        environment=connection_environment(),
        resources=Resources(cpu=50, cpu_limit=500, memory=128),
        restart_policy="Never",
        egress=[Destination(port=settings.database.port)],
    )


def job_spec(pod: Pod, selector: Labels, *, deadline_seconds: int) -> JobSpecArgs:
    """No TTL: a finished Job that is deleted would be reported as drift, and run again with the next `up --refresh`."""
    return JobSpecArgs(
        # No retry: goose rolls a failed file back, and the same file would fail again.
        backoff_limit=0,
        active_deadline_seconds=deadline_seconds,
        template=PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(labels=labels(pod, selector)), spec=pod_spec(pod, selector)
        ),
    )


def log_next_steps(failure: pulumi.ErrorHookArgs) -> bool:
    """Logs what a failed migration means and how to read its log. Returns False: no retry."""
    job = (failure.new_inputs or {}).get("metadata", {}).get("name", NAME)
    pulumi.log.error(
        "The migration did not complete. No new pod of api or worker was started; the old pods continue to serve.\n"
        f"Its log: kubectl -n {NAMESPACE} logs job/{job}\n"
        "Fix the migration, and release an image that contains the fix: make release API=<its commit>. A new Job "
        "starts then."
    )
    return False


class Migration(Component):
    """The migration.

    Attributes:
        job: the Job, which is ready when it is complete. Pods that need the schema depend on it.
        demand: the most pods at a time, for the quota of the namespace.
    """

    job: Job
    demand: Demand

    def __init__(self, settings: Settings, *, cluster: Cluster, namespace: Namespace, config: AppConfig) -> None:
        super().__init__("apps:Migration", NAME, provider=cluster.provider)
        pod = migration_pod(settings)
        self.demand = Demand.of(pod.resources, replicas=1)
        selector = settings.adopted.selector(pod.name)
        deadline = settings.database.migration_deadline_seconds
        account = ServiceAccount(
            NAME,
            metadata=ObjectMetaArgs(name=NAME, namespace=namespace.name, labels=labels(pod, selector)),
            automount_service_account_token=False,
            opts=self.child_options(),
        )
        policy = pod_network_policy(pod, adopted=settings.adopted, cluster=cluster, namespace=namespace, parent=self)
        self.job = Job(
            NAME,
            # No fixed name: each release creates a new Job, and the log of the old one exists until the new one is
            # complete.
            metadata=ObjectMetaArgs(
                namespace=namespace.name,
                labels=labels(pod, selector),
                # With this annotation, the next `up` replaces a failed Job. Otherwise the provider would wait for it
                # again.
                annotations={**kube_score_annotation(pod), "pulumi.com/replaceUnready": "true"},
            ),
            spec=job_spec(pod, selector, deadline_seconds=deadline),
            opts=self.child_options(
                protect=False,  # every release replaces the Job
                depends_on=[account, policy, *config.objects],
                # Longer than the deadline of the Job, so that Kubernetes reports the reason.
                custom_timeouts=pulumi.CustomTimeouts(create=f"{deadline + 60}s", update=f"{deadline + 60}s"),
                hooks=pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook("migration-failed", log_next_steps)]),
            ),
        )
        self.register_outputs({})
