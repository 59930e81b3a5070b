"""Settings for upgrades, reboots and etcd snapshots."""

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from infra.settings.model import Model
from infra.settings.types import BucketName, Count, Text, TimeOfDay, TimeZone, not_empty

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Days = Annotated[tuple[Day, ...], AfterValidator(not_empty)]


class Window(Model):
    """The time of day in which maintenance may start, in local time. Work that has started may end after `end`."""

    start: TimeOfDay
    end: TimeOfDay
    time_zone: TimeZone

    @field_validator("end")
    @classmethod
    def _end_after_start(cls, value: str, info: ValidationInfo) -> str:
        start = info.data.get("start")
        if start is not None and value <= start:
            raise ValueError(
                f"must be after start, {start}: a window cannot span midnight, so no maintenance would ever start"
            )
        return value


class UpgradeSettings(Model):
    """The days for k3s upgrades and the days for reboots. None disables either.

    The days must differ. system-upgrade-controller and kured do not coordinate with each other, and etcd stops when two
    of three servers are down.
    """

    window: Window
    k3s: Annotated[Days | None, Field(alias="k3s")] = None
    reboots: Days | None = None

    @field_validator("reboots")
    @classmethod
    def _not_on_upgrade_days(cls, value: Collection[str] | None, info: ValidationInfo) -> Collection[str] | None:
        upgrades: Collection[str] = info.data.get("k3s") or ()
        if shared := [day for day in value or () if day in upgrades]:
            raise ValueError(f"k3s is upgraded on {', '.join(shared)}, too: two servers could be down at once")
        return value


class SnapshotSettings(Model):
    """Where k3s uploads etcd snapshots.

    The bucket must not be that of the uploads, because snapshots contain every Secret. It is at the same object store.

    `keep` counts the snapshots of all servers: 84 = 3 servers × 4 a day × 7 days. k3s keeps 5 by default, which is less
    than two per server.
    """

    bucket: BucketName
    folder: Text = "etcd"
    keep: Count = 84
