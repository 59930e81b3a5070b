"""Settings of a zone. They always exist: creating the resource changes the setting, and deleting it does not."""

from __future__ import annotations

from typing import Final

from ..client import Client
from ..kinds import Created, Kind
from ..values import Props
from .names import properties, within_zone, zone_path


def _create(client: Client, props: Props) -> Created:
    return Created(props["settingId"], _patched(client, props, {"value": props["value"]}))


def _read(client: Client, id_: str, state: Props) -> Created | None:
    zone, setting_id = within_zone(id_, state)
    setting = client.find(f"{zone_path(zone)}/settings/{setting_id}")
    return Created(setting_id, {**properties(setting), **zone, "settingId": setting_id}) if setting else None


def _update(client: Client, _: str, old: Props, new: Props) -> Props:
    # The real plugin sends only changed values, and an empty object if there are none.
    return _patched(client, new, {"value": new["value"]} if new["value"] != old.get("value") else {})


def _patched(client: Client, props: Props, body: Props) -> Props:
    setting = client.patch(f"{zone_path(props)}/settings/{props['settingId']}", body)
    return properties(setting, without=props)


KINDS: Final = (
    Kind(
        type="cloudflare:index/zoneSetting:ZoneSetting",
        dialect="framework",
        create=_create,
        read=_read,
        update=_update,
        optional=frozenset({"zoneId"}),
        replaces=frozenset({"settingId", "zoneId"}),
        computed=frozenset({"enabled"}),
        recomputed=frozenset({"editable", "enabled", "modifiedOn", "timeRemaining"}),
    ),
)
