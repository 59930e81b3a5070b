"""Volumes and the servers they are attached to."""

from __future__ import annotations

from typing import Final

from ..kinds import Cloud, Kind, Made
from ..values import Props, Value
from . import rules
from .rules import api_error, found, invalid

_LEAST_GB: Final = 10
_MOST_GB: Final = 10240


def _bad_format(value: Value) -> str | None:
    return None if value in ("ext4", "xfs") else f'expected format to be one of ["ext4" "xfs"], got {value}'


def _admit(cloud: Cloud, id_: str | None, props: Props) -> None:
    rules.unique_name(cloud, rules.VOLUME, id_, props, "volume")
    rules.known_location(props)
    if not _LEAST_GB <= props["size"] <= _MOST_GB:
        raise invalid("size", f"{props['size']} is not between {_LEAST_GB} and {_MOST_GB} GB")
    if id_ is not None and props["size"] < cloud.of(rules.VOLUME)[id_]["size"]:
        raise invalid("size", "a volume cannot shrink")
    if props.get("serverId"):
        found(cloud, rules.SERVER, props["serverId"], "server")
    elif id_ is None and not props.get("location"):
        raise invalid("location", "either location or server_id is needed")


def _create(cloud: Cloud, props: Props) -> Made:
    id_ = cloud.state.next_id()
    computed: Props = {"linuxDevice": f"/dev/disk/by-id/scsi-0HC_Volume_{id_}", "serverId": props.get("serverId", 0)}
    if props.get("serverId"):
        computed["location"] = found(cloud, rules.SERVER, props["serverId"], "server")["location"]
    return Made(str(id_), computed)


def _admit_attachment(cloud: Cloud, id_: str | None, props: Props) -> None:
    volume = found(cloud, rules.VOLUME, props["volumeId"], "volume")
    server = found(cloud, rules.SERVER, props["serverId"], "server")
    if id_ is None and volume.get("serverId"):
        raise api_error(
            "volume_already_attached", f"volume {props['volumeId']} is already attached to server {volume['serverId']}"
        )
    if volume["location"] != server["location"]:
        raise invalid(
            "server", f"volume and server are not in the same location: {volume['location']}, {server['location']}"
        )


def _attach(cloud: Cloud, props: Props) -> Made:
    found(cloud, rules.VOLUME, props["volumeId"], "volume")["serverId"] = props["serverId"]
    return Made(str(props["volumeId"]), {})


def _detach(cloud: Cloud, id_: str, _: Props) -> None:
    volume = cloud.of(rules.VOLUME).get(id_)
    if volume is not None:
        volume["serverId"] = 0


KINDS: Final = (
    Kind(
        type=rules.VOLUME,
        dialect="sdk2",
        named=True,
        create=_create,
        replaces=frozenset({"location", "format"}),
        defaults={"deleteProtection": False},
        computed=frozenset({"location", "serverId"}),
        untold=frozenset({"automount", "format"}),
        valid={"labels": rules.bad_labels, "format": _bad_format},
        admit=_admit,
    ),
    Kind(
        type=rules.VOLUME_ATTACHMENT,
        dialect="sdk2",
        create=_attach,
        replaces=frozenset({"volumeId", "serverId", "automount"}),
        untold=frozenset({"automount"}),
        admit=_admit_attachment,
        before_delete=_detach,
        delete_before_replace=True,
    ),
)
