"""`make status`: the lines about the dumps of the database and the restore drill."""

from datetime import UTC, datetime, timedelta

import pytest

from infra.settings.backups import BackupSettings
from ops.kubernetes import Object
from ops.status.backups import backup_lines
from ops.status.line import Result
from tests.unit.placeholders import OPTIONAL_SETTINGS

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SETTINGS = BackupSettings.model_validate(OPTIONAL_SETTINGS["honeydue:backups"])


def cron_job(name: str, *, created: timedelta = timedelta(days=90), last: timedelta | None = None) -> Object:
    status = {} if last is None else {"lastSuccessfulTime": (NOW - last).strftime("%Y-%m-%dT%H:%M:%SZ")}
    creation = (NOW - created).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"metadata": {"name": name, "creationTimestamp": creation}, "status": status}


def lines(*cron_jobs: Object) -> list[tuple[Result, str]]:
    return [(line.result, line.text) for line in backup_lines(cron_jobs, SETTINGS, NOW)]


def test_recent_dumps_and_drills_are_well() -> None:
    dump, drill = (
        cron_job("database-backup", last=timedelta(hours=9)),
        cron_job("restore-drill", last=timedelta(days=3)),
    )
    assert lines(dump, drill) == [
        (Result.OK, "last dump 9 h ago, 2026-01-31 03:00 UTC"),
        (Result.OK, "last restore drill 3 days ago, 2026-01-28 12:00 UTC"),
    ]


@pytest.mark.parametrize(
    ("name", "limit", "expected"),
    [
        ("database-backup", timedelta(hours=26), "kubectl -n honeydue get jobs -l app.kubernetes.io/name="),
        ("restore-drill", timedelta(days=35), "make restore-drill"),
    ],
)
def test_the_limit_is_that_of_the_alert(name: str, limit: timedelta, expected: str) -> None:
    (before,) = (line for line in lines(cron_job(name, last=limit)) if "exist" not in line[1])
    (after,) = (line for line in lines(cron_job(name, last=limit + timedelta(seconds=1))) if "exist" not in line[1])
    assert before[0] is Result.OK
    assert after[0] is Result.PROBLEM
    assert expected in after[1]


def test_a_new_cron_job_has_time_for_its_first_success() -> None:
    new, old = (cron_job("database-backup", created=timedelta(hours=hours)) for hours in (25, 27))
    assert lines(new)[0] == (Result.OK, "no dump yet")
    assert lines(old)[0][0] is Result.PROBLEM


def test_a_missing_cron_job_is_a_problem() -> None:
    assert lines() == [
        (Result.PROBLEM, "CronJob database-backup does not exist in honeydue"),
        (Result.PROBLEM, "CronJob restore-drill does not exist in honeydue"),
    ]


def test_without_the_setting_the_line_says_so() -> None:
    (line,) = backup_lines([], None, NOW)
    assert (line.result, line.text) == (Result.OK, "off: honeydue:backups is not set")
