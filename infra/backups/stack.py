"""The CronJobs of the dump and of the drill, with their accounts, policies and credentials."""

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.batch.v1 import CronJob, CronJobSpecArgs, JobSpecArgs, JobTemplateSpecArgs
from pulumi_kubernetes.core.v1 import PodTemplateSpecArgs, ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.apps.config import AppConfig
from infra.apps.network_policy import pod_network_policy
from infra.apps.pod import Demand, Pod
from infra.backups.pods import backup_pod, drill_pod
from infra.cluster import Cluster, Namespace
from infra.cluster.secret import secret
from infra.component import Component
from infra.names import DATABASE_BACKUP
from infra.pods import kube_score_annotation, labels, pod_spec
from infra.settings.adopted import Labels
from infra.settings.backups import BackupSettings
from infra.settings.schema import Settings
from infra.settings.secrets import Secrets

PODS = 2
"""One that runs, and one that terminates or whose node failed. A CronJob never starts a second Job beside the first."""
START_SECONDS = 6 * 3600
"""How late a dump may start, for example after an outage of the control plane."""
DUMP_RETRIES = 2
DRILL_SECONDS = 2 * 3600
WEEKLY = "0 4 * * 0"


def cron_job_spec(
    pod: Pod,
    selector: Labels,
    *,
    schedule: str,
    suspended: bool,
    deadline_seconds: int,
    retries: int,
    history: int,
) -> CronJobSpecArgs:
    """A CronJob with one Job at a time. `history` is the number of finished Jobs that stay, of each result."""
    template = PodTemplateSpecArgs(metadata=ObjectMetaArgs(labels=labels(pod, selector)), spec=pod_spec(pod, selector))
    return CronJobSpecArgs(
        schedule=schedule,
        # Without it, the time zone is that of the server on which the controller runs.
        time_zone="Etc/UTC",
        suspend=suspended,
        # Two dumps at once would each hold a snapshot of the database, and each would be compared with the other.
        concurrency_policy="Forbid",
        # Without it, a CronJob that missed 100 starts, for example while the control plane was down or a Job was stuck,
        # never starts again. With it, the controller only counts the starts within this time.
        starting_deadline_seconds=START_SECONDS,
        successful_jobs_history_limit=history,
        failed_jobs_history_limit=history,
        job_template=JobTemplateSpecArgs(
            metadata=ObjectMetaArgs(labels=labels(pod, selector)),
            spec=JobSpecArgs(
                # A Job that hangs would prevent all later ones.
                active_deadline_seconds=deadline_seconds,
                backoff_limit=retries,
                # By default, the next attempt starts while the pod of the last one still terminates.
                pod_replacement_policy="Failed",
                template=template,
            ),
        ),
    )


class Backups(Component):
    """Dumps every day, and the template of a drill."""

    def __init__(
        self,
        settings: Settings,
        backups: BackupSettings,
        secrets: Secrets,
        *,
        cluster: Cluster,
        namespace: Namespace,
        config: AppConfig,
    ) -> None:
        super().__init__("backups:Backups", "backups", provider=cluster.provider)
        self._settings, self._cluster, self._namespace = settings, cluster, namespace
        if secrets.backup_key_id is None or secrets.backup_application_key is None:
            raise ValueError("backupKeyId and backupApplicationKey are required with backups")
        # A key for this bucket only, which may not delete. The key of the uploads is in every pod of api and worker.
        credentials = secret(
            DATABASE_BACKUP,
            {"AWS_ACCESS_KEY_ID": secrets.backup_key_id, "AWS_SECRET_ACCESS_KEY": secrets.backup_application_key},
            namespace=namespace.name,
            parent=self,
        )
        dump, drill = backup_pod(settings, backups), drill_pod(settings, backups)
        self._declare(
            dump,
            cron_job_spec(
                dump,
                settings.adopted.selector(dump.name),
                schedule=backups.schedule,
                suspended=False,
                deadline_seconds=60 * backups.deadline_minutes,
                # The object store or the database may be away for a moment.
                retries=DUMP_RETRIES,
                history=3,
            ),
            depends_on=[credentials, *config.objects],
        )
        self._declare(
            drill,
            cron_job_spec(
                drill,
                settings.adopted.selector(drill.name),
                schedule=WEEKLY,
                # `make restore-drill` creates a Job from the template. The controller then stores the time of its
                # success in the status, from which the alert is computed, and deletes the Job.
                suspended=True,
                deadline_seconds=DRILL_SECONDS,
                retries=0,
                history=0,
            ),
            depends_on=config.objects,
        )
        self.register_outputs({})

    def _declare(self, pod: Pod, spec: CronJobSpecArgs, *, depends_on: Sequence[pulumi.Resource]) -> None:
        selector = self._settings.adopted.selector(pod.name)

        def metadata(*, annotated: bool = False) -> ObjectMetaArgs:
            return ObjectMetaArgs(
                name=pod.name,
                namespace=self._namespace.name,
                labels=labels(pod, selector),
                annotations=kube_score_annotation(pod) if annotated else None,
            )

        account = ServiceAccount(
            pod.name, metadata=metadata(), automount_service_account_token=False, opts=self.child_options()
        )
        policy = pod_network_policy(
            pod, adopted=self._settings.adopted, cluster=self._cluster, namespace=self._namespace, parent=self
        )
        CronJob(
            pod.name,
            metadata=metadata(annotated=True),
            spec=spec,
            opts=self.child_options(depends_on=[account, policy, *depends_on]),
        )


def declare_backups(
    settings: Settings, secrets: Secrets, *, cluster: Cluster, namespace: Namespace, config: AppConfig
) -> Sequence[Demand]:
    """Nothing while `backups` is not set. Returns the pods, for the quota of the namespace."""
    backups = settings.backups
    if backups is None:
        return []
    Backups(settings, backups, secrets, cluster=cluster, namespace=namespace, config=config)
    pods = (backup_pod(settings, backups), drill_pod(settings, backups))
    return [Demand(pods=PODS, resources=pod.resources) for pod in pods]
