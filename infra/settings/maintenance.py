"""The settings of what keeps the cluster up to date and its datastore in a second place."""

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from infra.settings.model import Model
from infra.settings.types import BucketName, TimeOfDay, TimeZone, some

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Days = Annotated[tuple[Day, ...], AfterValidator(some)]


class Window(Model):
    """From when to when something may begin, local time of the zone. What has begun is finished, past the end if need be."""

    start: TimeOfDay
    end: TimeOfDay
    time_zone: TimeZone

    @field_validator("end")
    @classmethod
    def _the_same_day(cls, value: str, info: ValidationInfo) -> str:
        start = info.data.get("start")
        if start is not None and value <= start:
            raise ValueError(
                f"must be after start, {start}: both programs look at one day at a time, and would never begin"
            )
        return value


class UpgradeSettings(Model):
    """On which days k3s is upgraded, and on which a node that needs it is rebooted; without days, never.

    Not on the same days: the two programs do not know of each other, and two of three servers away at once stop etcd.
    """

    window: Window
    k3s: Annotated[Days | None, Field(alias="k3s")] = None
    reboots: Days | None = None

    @field_validator("reboots")
    @classmethod
    def _on_other_days(cls, value: Collection[str] | None, info: ValidationInfo) -> Collection[str] | None:
        upgrades: Collection[str] = info.data.get("k3s") or ()
        if shared := [day for day in value or () if day in upgrades]:
            raise ValueError(f"k3s is upgraded on {', '.join(shared)}, too: two servers could be away at once")
        return value


class SnapshotSettings(Model):
    """Where etcd's snapshots go: a bucket of their own at the object store of the uploads, as they hold every Secret.

    `keep` counts those of all servers together; k3s' own five would not be two of each. 84 are a week of three servers.
    """

    bucket: BucketName
    folder: Annotated[str, Field(min_length=1)] = "etcd"
    keep: Annotated[int, Field(ge=1)] = 84
