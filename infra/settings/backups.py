"""Settings of the dumps of the database (infra/backups/). docs/backups.md describes them for operators."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, field_validator

from infra.settings.apps import STORE_ENDPOINT, STORE_REGION, UPLOADS_BUCKET
from infra.settings.model import Model
from infra.settings.types import BucketName, Count, Number, Tag, TimeOfDay, matching

ALERT_HOURS = 26
"""Without a new dump for this time, an alert fires. A day, and two hours for a dump that starts late or takes long."""
ALERT_TO_EXPIRY_WEEKS = 4
"""The weeks in which an operator can react to that alert before the newest dump expires."""
SHORTEST_KEEP_DAYS = 2 + 7 * ALERT_TO_EXPIRY_WEEKS
REPOSITORY = "honeydue-backup"
"""The image of images/backup, in our registry."""

AgeRecipient = Annotated[
    str,
    matching(
        r"age1(pq1)?[02-9ac-hj-np-z]{58,}",
        "an age public key, which age-keygen prints and which starts with age1,",
    ),
]


class DrillSettings(Model):
    """The restore drill: an alert fires when the last one is older than `days`.

    `disk_mi` is the disk space in MiB for the restored database on one node, without indexes about four times a dump.
    """

    days: Annotated[Number, Field(ge=1)] = 35
    disk_mi: Annotated[Number, Field(ge=256)] = 4096


class BackupSettings(Model):
    """A dump of the database every day `at` a time in UTC, encrypted for `recipient`.

    `bucket` is at the object store of the uploads. Its lifecycle rules must keep each dump for `keep` days
    (docs/backups.md). `image` is the tag of honeydue-backup. A dump with less than `minimum_percent` of the bytes of
    the previous one fails.
    """

    bucket: BucketName
    at: TimeOfDay
    keep: Annotated[Number, Field(ge=SHORTEST_KEEP_DAYS)] = 60
    recipient: AgeRecipient
    image: Tag
    minimum_percent: Annotated[Number, Field(ge=0, le=100)] = 50
    deadline_minutes: Count = 180
    drill: DrillSettings = DrillSettings()

    @field_validator("drill", mode="before")
    @classmethod
    def _is_run_by_an_operator(cls, value: object) -> object:
        if value == "cluster":
            raise ValueError(
                "no drill runs in the cluster: it would need an age key there, and everybody who reads that Secret "
                "could read all dumps. Set drill.days, after which an operator runs make restore-drill again"
            )
        return value

    @property
    def schedule(self) -> str:
        """The cron expression of each day."""
        hour, minute = self.at.split(":")
        return f"{int(minute)} {int(hour)} * * *"


def check_store(field: str, bucket: str, environment: Mapping[str, str]) -> None:
    """Raises a ValueError if the object store of the uploads is not set, or if the bucket is that of the uploads."""
    if missing := [name for name in (STORE_ENDPOINT, STORE_REGION) if not environment.get(name)]:
        raise ValueError(f"needs {' and '.join(missing)} in honeydue:environment: {field} go to the same object store")
    if "/" in environment[STORE_ENDPOINT]:
        raise ValueError(
            f"needs {STORE_ENDPOINT} in honeydue:environment to be a host name without https://, as k3s expects it"
        )
    if bucket == environment.get(UPLOADS_BUCKET):
        raise ValueError(
            f"bucket {bucket} is that of the uploads: all readers of the uploads could read the {field}, and their key "
            "can delete them"
        )
