"""The schema migration: a one-shot Job with the api image, complete before any pod that needs the schema (book ch08, ch14)."""

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
from infra.apps.network_policy import isolate
from infra.apps.pod import Pod, Resources, exemptions, labels, pod_spec
from infra.cluster.namespace import NAMESPACE, Namespace
from infra.cluster.network_policies import Destination
from infra.component import Component
from infra.settings.adopted import Labels
from infra.settings.schema import Settings

NAME = "migrate"

# libpq's names, which goose's driver reads. By reference: the Job's own text changes with the image alone, so a change of
# configuration runs no migration.
CONNECTION = {
    "PGHOST": "DB_DIRECT_HOST",
    "PGPORT": "DB_PORT",
    "PGDATABASE": "POSTGRES_DB",
    "PGUSER": "POSTGRES_USER",
    "PGSSLMODE": "DB_SSLMODE",
}


def connection_environment() -> list[EnvVarArgs]:
    """Where goose connects: the direct host, as a session lock does not survive the pooler; the password stays in its Secret."""
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
        # goose insists on a connection string; all of it that matters comes from the variables above.
        EnvVarArgs(name="GOOSE_DBSTRING", value=f"application_name={NAME}"),
        EnvVarArgs(name="GOOSE_MIGRATION_DIR", value="migrations"),
    ]


def migration_pod(settings: Settings) -> Pod:
    """`goose up` with the api image: done in seconds when there is nothing to apply."""
    return Pod(
        name=NAME,
        part="migration",
        image=settings.images.reference("api"),
        command=["goose"],
        args=["up"],
        environment=connection_environment(),
        resources=Resources(cpu=50, cpu_limit=500, memory=128),
        restart_policy="Never",
        talks_to=[Destination(port=settings.database.port)],
    )


def job_spec(pod: Pod, selector: Labels, *, deadline_seconds: int) -> JobSpecArgs:
    """No TTL: a finished Job that vanishes would read as drift, and run again at the next `up --refresh`."""
    return JobSpecArgs(
        # One try: goose rolls a failed file back, and the same file fails again.
        backoff_limit=0,
        active_deadline_seconds=deadline_seconds,
        template=PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(labels=labels(pod, selector)), spec=pod_spec(pod, selector)
        ),
    )


def how_to_go_on(failed: pulumi.ErrorHookArgs) -> bool:
    """Tells the operator what a failed migration means and where its log is; never asks for a retry."""
    job = (failed.new_inputs or {}).get("metadata", {}).get("name", NAME)
    pulumi.log.error(
        "The migration did not complete, so no new pod of api or worker was started and the old ones keep serving.\n"
        f"Its log: kubectl -n {NAMESPACE} logs job/{job}\n"
        "Then mend the migration, set honeydue:images.api to an image that has it, and run `pulumi up`: a fresh Job runs."
    )
    return False


class Migration(Component):
    """The Job. api and worker depend on `job` itself: it is ready when it is complete.

    Attributes:
        job: what must be complete before a pod that needs the schema.
    """

    job: Job

    def __init__(self, settings: Settings, *, namespace: Namespace, config: AppConfig) -> None:
        super().__init__("apps:Migration", NAME, provider=namespace.provider)
        pod = migration_pod(settings)
        selector = settings.adopted.selector(pod.name)
        deadline = settings.database.migration_deadline_seconds
        account = ServiceAccount(
            NAME,
            metadata=ObjectMetaArgs(name=NAME, namespace=namespace.name, labels=labels(pod, selector)),
            automount_service_account_token=False,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.job = Job(
            NAME,
            # No fixed name: each release gets a Job of its own, and the old one's log stays until the new one is complete.
            metadata=ObjectMetaArgs(
                namespace=namespace.name,
                labels=labels(pod, selector),
                # A failed Job is otherwise awaited again for ever; with this the next `up` runs a fresh one.
                annotations={**exemptions(pod), "pulumi.com/replaceUnready": "true"},
            ),
            spec=job_spec(pod, selector, deadline_seconds=deadline),
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=False,  # every release replaces it
                depends_on=[account, isolate(pod, namespace=namespace, parent=self), *config.objects],
                # Above the Job's own deadline, so that it is Kubernetes that says why.
                custom_timeouts=pulumi.CustomTimeouts(create=f"{deadline + 60}s", update=f"{deadline + 60}s"),
                hooks=pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook("migration-failed", how_to_go_on)]),
            ),
        )
        self.register_outputs({})
