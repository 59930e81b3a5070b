"""The lines about the dumps of the database and about the restore drill."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from infra.names import DATABASE_BACKUP, NAMESPACE, RESTORE_DRILL
from infra.settings.backups import ALERT_HOURS, BackupSettings
from infra.settings.messages import PROJECT
from ops.json_paths import dig
from ops.kubernetes import Object
from ops.status.line import Line, problem
from ops.status.times import age

SUBJECT = "backups"


def backup_lines(cron_jobs: Collection[Object], backups: BackupSettings | None, now: datetime) -> Iterator[Line]:
    """When the last dump and the last drill succeeded."""
    if backups is None:
        yield Line(subject=SUBJECT, text=f"off: {PROJECT}:backups is not set")
        return
    by_name = {item["metadata"]["name"]: item for item in cron_jobs}
    log = f"kubectl -n {NAMESPACE} get jobs -l app.kubernetes.io/name={DATABASE_BACKUP}"
    yield _age_line(
        by_name.get(DATABASE_BACKUP), DATABASE_BACKUP, "dump", timedelta(hours=ALERT_HOURS), now, advice=log
    )
    drill = timedelta(days=backups.drill.days)
    yield _age_line(by_name.get(RESTORE_DRILL), RESTORE_DRILL, "restore drill", drill, now, advice="make restore-drill")


def _age_line(cron_job: Object | None, name: str, what: str, limit: timedelta, now: datetime, *, advice: str) -> Line:
    if cron_job is None:
        return problem(SUBJECT, f"CronJob {name} does not exist in {NAMESPACE}")
    last = dig(cron_job, "status", "lastSuccessfulTime")
    created = datetime.fromisoformat(cron_job["metadata"]["creationTimestamp"])
    if not isinstance(last, str):
        text = f"no {what} yet"
        return problem(SUBJECT, f"{text}: {advice}") if now - created > limit else Line(subject=SUBJECT, text=text)
    completed = datetime.fromisoformat(last)
    text = f"last {what} {age(completed, now)} ago, {completed:%Y-%m-%d %H:%M} UTC"
    return problem(SUBJECT, f"{text}: {advice}") if now - completed > limit else Line(subject=SUBJECT, text=text)
