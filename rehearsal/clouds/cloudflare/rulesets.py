"""Rulesets: the rules of a zone or an account for one phase of the request processing."""

from __future__ import annotations

from typing import Final

from ..kinds import ApiError, Cloud, Created, Kind, now
from ..values import Props
from . import common
from .common import api_error

_TYPE: Final = "cloudflare:index/ruleset:Ruleset"


def _validate(cloud: Cloud, id_: str | None, props: Props) -> None:
    if bool(props.get("zoneId")) == bool(props.get("accountId")):
        raise ApiError("exactly one of zone_id and account_id must be set")
    if props.get("zoneId"):
        common.zone_name(cloud, props["zoneId"], "/rulesets")
    for key, live in cloud.of(_TYPE).items():
        same_phase = all(live.get(name) == props.get(name) for name in ("zoneId", "accountId", "phase"))
        if key != id_ and same_phase and live["kind"] == props["kind"] in ("zone", "root"):
            message = (
                "A similar configuration with rules already exists and overwriting will have unintended consequences."
            )
            raise api_error(20217, message, path=f"/zones/{props.get('zoneId')}/rulesets")


def _create(_: Cloud, _props: Props) -> Created:
    return Created(common.new_id(), {"lastUpdated": now(), "version": "1"})


def _after_update(_cloud: Cloud, _id: str, _props: Props, old: Props) -> Props:
    return {"lastUpdated": now(), "version": str(int(old.get("version", "0")) + 1)}


KINDS: Final = (
    Kind(
        type=_TYPE,
        dialect="framework",
        create=_create,
        replaces=frozenset({"accountId", "kind", "phase", "zoneId"}),
        defaults={"description": "", "rules.enabled": True},
        computed=frozenset({"rules.id", "rules.ref"}),
        validate=_validate,
        after_update=_after_update,
        state_key=common.last_part,
    ),
)
