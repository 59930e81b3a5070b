"""Alerts about dumps of the database and restore drills that are old, from the status of their CronJobs."""

from collections.abc import Sequence

from infra.monitoring.rules.model import Rule
from infra.names import DATABASE_BACKUP, NAMESPACE, RESTORE_DRILL
from infra.settings.backups import ALERT_HOURS, BackupSettings
from infra.settings.types import seconds

CREATED = "kube_cronjob_created"
LAST_SUCCESS = "kube_cronjob_status_last_successful_time"
"""When the last Job that succeeded was complete. Missing before the first success."""


def backup_rules(backups: BackupSettings | None) -> Sequence[Rule]:
    """Empty while `backups` is not set."""
    if backups is None:
        return []
    days = backups.drill.days
    return [
        _age_rule(
            "DatabaseBackupOld",
            cron_job=DATABASE_BACKUP,
            limit=f"{ALERT_HOURS}h",
            summary=f"No dump of the database was written within {ALERT_HOURS} hours.",
            runbook="The dump of the database is old",
        ),
        _age_rule(
            "RestoreDrillOld",
            cron_job=RESTORE_DRILL,
            limit=f"{days}d",
            summary=f"No dump was restored in a drill within {days} days.",
            runbook="The restore drill is old",
        ),
    ]


def _age_rule(name: str, *, cron_job: str, limit: str, summary: str, runbook: str) -> Rule:
    """For the time since the last success or, before the first one, since the CronJob was created."""
    selector = f'{{namespace="{NAMESPACE}",cronjob="{cron_job}"}}'
    return Rule(
        name=name,
        expr=(
            f"time() - (max({LAST_SUCCESS}{selector}) or max({CREATED}{selector})) > {seconds(limit)} "
            # A CronJob that was deleted has no age.
            f"or absent({CREATED}{selector})"
        ),
        for_="1h",
        severity="warning",
        exporter="kube-state-metrics",
        series=(CREATED,),
        events=(LAST_SUCCESS,),
        summary=summary,
        runbook=runbook,
        follows="cluster",
    )
