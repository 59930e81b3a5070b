"""The schema migration: a Job with the api image, which completes before any pod that needs the schema starts.

Two migrations must never run at the same time, because goose's command takes no lock. The Job therefore has a fixed
name, which exists only once in a namespace. The provider deletes the old Job in the foreground before it creates the
new one: Kubernetes keeps the Job until its pods are gone.
"""

import pulumi
from pulumi_kubernetes.batch.v1 import Job, JobSpecArgs
from pulumi_kubernetes.core.v1 import EnvVarArgs, PodTemplateSpecArgs, ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.apps.config import AppConfig
from infra.apps.database import connection_environment, database_destination
from infra.apps.network_policy import pod_network_policy
from infra.apps.pod import Demand, Pod
from infra.cluster import Cluster, Namespace
from infra.component import Component
from infra.names import MIGRATION, NAMESPACE
from infra.pods import Resources, kube_score_annotation, labels, pod_spec
from infra.settings.adopted import Labels
from infra.settings.schema import Settings

STOP_COMMAND = f"kubectl -n {NAMESPACE} delete job {MIGRATION} --cascade=foreground"
"""Stops a migration. It returns when the pods are gone."""
DELETE_SECONDS = 120
"""How long the deletion of the old Job may take. A pod that does not react is killed after 30 s."""

IMMUTABLE = "field is immutable"
"""What the API server returns when the provider creates a Job that already exists with another image."""
NOT_STARTED = "No new pod of api or worker was started; the old pods continue to serve."
NOT_COMPLETE = (
    f"The migration did not complete. {NOT_STARTED}\n"
    f"Its log: kubectl -n {NAMESPACE} logs job/{MIGRATION}\n"
    "Fix the migration, and release an image that contains the fix: make release API=<its commit>. A new Job starts "
    "then."
)
NOT_DELETED = (
    f"The old migration still runs, so no new one was started: two must never run at the same time. {NOT_STARTED}\n"
    f"Its pod and node: kubectl -n {NAMESPACE} get pods -l batch.kubernetes.io/job-name={MIGRATION} -o wide\n"
    "Run the same command again when the pod is gone. A pod on a node that does not respond stays Terminating, and its "
    "migration may still run: power that server off, then run `kubectl delete node NODE`, which deletes the pod as "
    "well. Never delete the pod with --force before its server is off."
)
ALREADY_EXISTS = (
    f"The migration of an update that was killed still exists, so no new one was started. {NOT_STARTED}\n"
    f"Its state: kubectl -n {NAMESPACE} get job {MIGRATION}\n"
    f"To stop and delete it: {STOP_COMMAND}\n"
    "Then run the same command again."
)


def goose_environment() -> list[EnvVarArgs]:
    """goose connects to the direct host, because session locks do not work through the pooler."""
    return [
        *connection_environment(),
        EnvVarArgs(name="GOOSE_DRIVER", value="postgres"),
        # goose requires a connection string. The variables above contain the actual values.
        EnvVarArgs(name="GOOSE_DBSTRING", value=f"application_name={MIGRATION}"),
        EnvVarArgs(name="GOOSE_MIGRATION_DIR", value="migrations"),
    ]


def migration_pod(settings: Settings) -> Pod:
    """`goose up` with the api image. It completes in seconds when there is nothing to apply."""
    return Pod(
        name=MIGRATION,
        component="migration",
        image=settings.images.reference("api"),
        command=["goose"],
        args=["up"],
        environment=goose_environment(),
        resources=Resources(cpu=50, cpu_limit=500, memory=128),
        restart_policy="Never",
        egress=[database_destination(settings.database)],
    )


def job_spec(pod: Pod, selector: Labels, *, deadline_seconds: int) -> JobSpecArgs:
    """No TTL: a finished Job that is deleted would be reported as drift, and run again with the next `up --refresh`."""
    return JobSpecArgs(
        # No retry: goose rolls a failed file back, and the same file would fail again.
        backoff_limit=0,
        # By default, a Job fails while its evicted pod still runs. With this, it waits until the pod has ended.
        pod_replacement_policy="Failed",
        active_deadline_seconds=deadline_seconds,
        template=PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(labels=labels(pod, selector)), spec=pod_spec(pod, selector)
        ),
    )


def log_next_steps(failure: pulumi.ErrorHookArgs) -> bool:
    """Logs what the failure means and what to do next. Returns False: no retry."""
    if failure.failed_operation == "delete":
        message = NOT_DELETED
    elif any(IMMUTABLE in error for error in failure.errors):
        message = ALREADY_EXISTS
    else:
        message = NOT_COMPLETE
    pulumi.log.error(message)
    return False


class Migration(Component):
    """The migration.

    Attributes:
        ready: the Job, which is ready when it is complete. Pods that need the schema depend on it.
        demand: the most pods at a time, for the quota of the namespace.
    """

    ready: Job
    demand: Demand

    def __init__(self, settings: Settings, *, cluster: Cluster, namespace: Namespace, config: AppConfig) -> None:
        super().__init__("apps:Migration", MIGRATION, provider=cluster.provider)
        pod = migration_pod(settings)
        self.demand = Demand.of(pod.resources, replicas=1)
        selector = settings.adopted.selector(pod.name)
        deadline = settings.database.migration_deadline_seconds
        account = ServiceAccount(
            MIGRATION,
            metadata=ObjectMetaArgs(name=MIGRATION, namespace=namespace.name, labels=labels(pod, selector)),
            automount_service_account_token=False,
            opts=self.child_options(),
        )
        policy = pod_network_policy(pod, adopted=settings.adopted, cluster=cluster, namespace=namespace, parent=self)
        self.ready = Job(
            MIGRATION,
            metadata=ObjectMetaArgs(
                # A generated name would let a second Job run next to one that an interrupted update left behind.
                name=MIGRATION,
                namespace=namespace.name,
                labels=labels(pod, selector),
                # With this annotation, the next `up` replaces a failed Job. Otherwise the provider would wait for it
                # again.
                annotations={**kube_score_annotation(pod), "pulumi.com/replaceUnready": "true"},
            ),
            spec=job_spec(pod, selector, deadline_seconds=deadline),
            opts=self.child_options(
                protect=False,  # every release replaces the Job
                # Also if the old Job has another name: earlier versions of this program generated it.
                delete_before_replace=True,
                depends_on=[account, policy, *config.objects],
                # Longer than the deadline of the Job, so that Kubernetes reports the reason.
                custom_timeouts=pulumi.CustomTimeouts(
                    create=f"{deadline + 60}s", update=f"{deadline + 60}s", delete=f"{DELETE_SECONDS}s"
                ),
                hooks=pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook("migration-failed", log_next_steps)]),
            ),
        )
        self.register_outputs({})
